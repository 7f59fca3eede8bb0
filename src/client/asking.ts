/**
 * Requests to the daemon beside the stream: reads that wait, reports, acknowledgements.
 *
 * Rule: the same request is never under way twice: a thousand callers of one process that want the same share one answer. None
 * keeps the process alive: whoever waits for an answer does.
 */
import { type OutcomeBody, PATHS, type RejectionBody, type TokenBody, WAIT_SECONDS_MAX } from '../api/protocol.ts';
import { asFreshdError, refusalError } from './errors.ts';
import { request, TransportError, type TransportRequest, type TransportResponse } from './transport.ts';

export interface Demand {
  readonly minValidMs: number;
  readonly afterGeneration: number | null;
}

export interface Asking {
  /** @throws FreshdError */
  read(name: string, demand: Demand & { readonly waitMs: number }): Promise<TokenBody>;
  /**
   * Reports that a generation was refused, and waits for the next token.
   * @returns the token, or what became of the report
   * @throws FreshdError
   */
  report(name: string, rejection: Omit<RejectionBody, 'consumer'>, waitMs: number): Promise<TokenBody | OutcomeBody>;
  /** Says that the client has that generation; failing to say so harms nobody. */
  acknowledge(name: string, generation: number): Promise<void>;
  /** Ends what is under way, as `cancelled`, and whatever is asked from now on. */
  close(): void;
}

export function createAsking(options: { readonly places: () => readonly string[]; readonly consumer: string }): Asking {
  const underWay = new Map<string, Promise<unknown>>();
  const end = new AbortController();

  function once<Body>(key: string, ask: () => Promise<Body>): Promise<Body> {
    const known = underWay.get(key) as Promise<Body> | undefined;
    if (known !== undefined) return known;
    const asked = ask().finally(() => underWay.delete(key));
    underWay.set(key, asked);
    return asked;
  }

  async function ask(
    call: Pick<TransportRequest, 'method' | 'path' | 'body'>,
    waitMs: number,
  ): Promise<TransportResponse> {
    const terms = { timeoutMs: waitMs + ANSWER_MS_MAX, signal: end.signal, isBackground: true };
    const places = options.places();
    for (const [index, socketPath] of places.entries()) {
      try {
        return await request({ ...call, ...terms, socketPath });
      } catch (error) {
        const isElsewhere = error instanceof TransportError && error.code === 'no_daemon' && index + 1 < places.length;
        if (!isElsewhere) throw asFreshdError(error);
      }
    }
    throw asFreshdError(new TransportError('no socket is known', { code: 'no_daemon' }));
  }

  async function body<Body>(response: Promise<TransportResponse>): Promise<Body> {
    const answer = await response;
    if (answer.status >= 400) throw refusalError(answer);
    return JSON.parse(answer.text) as Body;
  }

  const pathOf = (name: string, parameters: Record<string, number | null>): string => {
    const query = new URLSearchParams({ consumer: options.consumer });
    for (const [key, value] of Object.entries(parameters)) if (value !== null) query.set(key, String(value));
    return `${PATHS.token(inPath(name))}?${query}`;
  };

  return {
    read(name, { minValidMs, afterGeneration, waitMs }) {
      const waitSeconds = seconds(waitMs);
      const path = pathOf(name, {
        min_valid_seconds: minValidMs === 0 ? null : minValidMs / 1000,
        after_generation: afterGeneration,
        wait_seconds: waitSeconds === 0 ? null : waitSeconds,
      });
      const key = `${name} ${minValidMs} ${afterGeneration} ${waitSeconds > 0}`;
      return once(key, () => body<TokenBody>(ask({ method: 'GET', path }, waitSeconds * 1000)));
    },
    report(name, rejection, waitMs) {
      const waitSeconds = seconds(waitMs);
      const path = `${PATHS.rejections(inPath(name))}?wait_seconds=${waitSeconds}`;
      const call = { method: 'POST', path, body: { ...rejection, consumer: options.consumer } } as const;
      const key = `report ${name} ${rejection.generation} ${rejection.http_status} ${waitSeconds > 0}`;
      return once(key, () => body<TokenBody | OutcomeBody>(ask(call, waitSeconds * 1000)));
    },
    async acknowledge(name, generation) {
      // Answered by a refusal when there is no newer one, which is the usual case; only that it arrived matters.
      await ask({ method: 'GET', path: pathOf(name, { after_generation: generation }) }, 0).catch(asFreshdError);
    },
    close: () => end.abort(),
  };
}

/** Half of a pair of code units has no encoding; no credential has such a name. */
const inPath = (name: string): string => encodeURIComponent(Buffer.from(name).toString());

/** What the daemon admits in one request. */
const seconds = (waitMs: number): number => Math.min(WAIT_SECONDS_MAX, Math.max(0, waitMs) / 1000);

/** An answer takes a millisecond; a machine that swaps gets ten seconds. */
const ANSWER_MS_MAX = 10_000;
