/**
 * `fetch` with a token, and with the one retry that a refused token deserves.
 *
 * Rule: a request is sent again only after a 401 (or what a provider's table counts as one), once, with another generation
 * than the refused one, and only if its body can be sent again. Whatever else comes is the caller's answer.
 */
import type { OutcomeBody, RejectionBody, TokenBody } from '../api/protocol.ts';
import type { Asking } from './asking.ts';
import { FreshdError } from './errors.ts';
import type { Holdings } from './holdings.ts';
import type { Runtime } from './runtime.ts';
import type { Token } from './standing.ts';
import type { InnerWaitOptions } from './wait.ts';

export interface FetchOptions {
  /** How long to wait for a token, before the request and again after a refusal; 30 s when left out. */
  readonly waitMs?: number;
}

export interface FetchParts {
  readonly holdings: Holdings;
  readonly asking: Asking;
  readonly waitForToken: (name: string, options: InnerWaitOptions) => Promise<Token>;
  /** How often the daemon was connected to. */
  readonly connections: () => number;
  readonly take: (body: TokenBody) => void;
  readonly runtime: Pick<Runtime, 'after' | 'nowMs'>;
}

export type FetchInput = string | URL | Request;

/**
 * @throws FreshdError when no token can be had; what `fetch` itself throws
 * @returns the answer, also a refusal: to the second request, or to the first where it was not sent again
 */
export async function fetchWithToken(
  parts: FetchParts,
  request: { readonly name: string; readonly input: FetchInput; readonly init: RequestInit },
  options: FetchOptions,
): Promise<Response> {
  const { name, input, init } = request;
  const { waitMs = WAIT_MS_DEFAULT } = options;
  const signal = init.signal ?? (input instanceof Request ? input.signal : null);
  const token = await tokenFor(parts, name, { timeoutMs: waitMs, signal });
  const first = await send(input, init, token);
  const refusal = isAboutToken(first, input) ? await refusalIn(first, parts.runtime) : null;
  if (refusal === null) return first;
  const rejection = { ...refusal, generation: token.generation, credential: token.credential };
  if (!isReplayable(input, init)) {
    await report(parts, name, rejection, 0);
    return first;
  }
  const next = await tokenAfter(parts, { name, rejection, waitMs, signal });
  if (next === null) return first;
  // A body that broke off meanwhile cannot be cancelled, and nobody needs it any more.
  await first.body?.cancel().catch(() => undefined);
  return send(input, init, next);
}

/** One that was refused elsewhere is used only when no better one came in time: it may be good for this server. */
async function tokenFor(parts: FetchParts, name: string, options: InnerWaitOptions): Promise<Token> {
  const held = parts.holdings.valid(name);
  if (held !== null && !parts.holdings.isRefused(held)) return held;
  try {
    return await parts.waitForToken(name, options);
  } catch (error) {
    const stillHeld = parts.holdings.valid(name);
    const isLate = error instanceof FreshdError && error.code !== 'closed';
    if (isLate && stillHeld !== null) return stillHeld;
    throw error;
  }
}

function send(input: FetchInput, init: RequestInit, token: Token): Promise<Response> {
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
  if (token.scheme === 'bearer') {
    headers.set('authorization', `${typeOf(token)} ${token.accessToken}`);
    return fetch(input, { ...init, headers });
  }
  headers.set(token.scheme, token.accessToken);
  // A redirection to another host leaves Authorization behind, but would take any other header along.
  const asked = init.redirect ?? (input instanceof Request ? input.redirect : 'follow');
  return fetch(input, { ...init, headers, redirect: asked === 'follow' ? 'manual' : asked });
}

/** RFC 6750 writes Bearer; token endpoints answer with any case, and some servers compare. */
const typeOf = ({ tokenType }: Token): string => (/^bearer$/i.test(tokenType) ? 'Bearer' : tokenType);

/** A redirection to another host leaves the token behind: what that host says is nothing about it. */
function isAboutToken({ redirected, url }: Response, input: FetchInput): boolean {
  return !redirected || new URL(url).origin === new URL(input instanceof Request ? input.url : input).origin;
}

type Refusal = Pick<RejectionBody, 'http_status' | 'body'>;

/** A 403 is for the daemon to judge, which knows the codes of providers; only a structured one can hold a code. */
async function refusalIn(response: Response, runtime: FetchParts['runtime']): Promise<Refusal | null> {
  const { status } = response;
  if (status === 401) return { http_status: status };
  const isStructured = /\bjson\b/i.test(response.headers.get('content-type') ?? '');
  if (status !== 403 || !isStructured) return null;
  const body = await beginningOf(response.clone(), runtime);
  return body === null ? null : { http_status: status, body };
}

/** @returns null for what is too long, or too slow, to be a refusal */
async function beginningOf(response: Response, runtime: FetchParts['runtime']): Promise<string | null> {
  const reader = response.body?.getReader();
  let isLate = false;
  const giveUp = (): void => {
    // Settles only when the caller is done with the other half.
    void reader?.cancel().catch(() => undefined);
  };
  const limit = runtime.after(REFUSAL_MS_MAX, () => {
    isLate = true;
    giveUp();
  });
  // A body that breaks off holds no code; whoever reads the answer meets the break there.
  const readOn = () => reader?.read().catch(() => undefined);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let read = await readOn(); read?.value !== undefined; read = await readOn()) {
    chunks.push(read.value);
    bytes += read.value.length;
    if (bytes <= REFUSAL_BYTES_MAX) continue;
    giveUp();
    break;
  }
  limit.cancel();
  return isLate || bytes > REFUSAL_BYTES_MAX ? null : Buffer.concat(chunks).toString('utf8');
}

async function tokenAfter(
  parts: FetchParts,
  options: {
    readonly name: string;
    readonly rejection: Omit<RejectionBody, 'consumer'>;
    readonly waitMs: number;
    readonly signal: AbortSignal | null;
  },
): Promise<Token | null> {
  const { name, rejection, waitMs, signal } = options;
  const { generation } = rejection;
  const newer = () => {
    const held = parts.holdings.valid(name);
    return held !== null && held.generation !== generation && !parts.holdings.isRefused(held) ? held : null;
  };
  const already = newer();
  if (already !== null) return already;
  const since = parts.connections();
  const endsAtMs = parts.runtime.nowMs() + waitMs;
  const reported = orLate(report(parts, name, rejection, waitMs), waitMs, parts.runtime);
  const outcome = await orAborted(reported, signal);
  if (newer() !== null || outcome === 'hopeless') return newer();
  // A daemon that was away, or was started anew, has not heard of it, and would not replace the token before its time.
  const tell = async () => {
    const again = await report(parts, name, rejection, 0);
    if (again === 'hopeless') throw new FreshdError(`nothing replaces ${name}`, { code: 'temporarily_unavailable' });
  };
  const renewal = { since, tell };
  const timeoutMs = endsAtMs - parts.runtime.nowMs();
  try {
    return await parts.waitForToken(name, { afterGeneration: generation, timeoutMs, signal, renewal });
  } catch (error) {
    // The caller has an answer already, and it says what is wrong.
    if (error instanceof FreshdError) return null;
    throw error;
  }
}

/** A daemon that hangs answers nothing; its answer is waited for no longer than the token would be. */
function orLate(told: Promise<Outcome>, waitMs: number, { after }: FetchParts['runtime']): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const limit = after(waitMs, () => resolve('open'));
    void told.then(resolve, reject).finally(() => limit.cancel());
  });
}

/** The request that is awaited may be shared with others, who still want it. */
function orAborted<Result>(promise: Promise<Result>, signal: AbortSignal | null): Promise<Result> {
  if (signal === null) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** `hopeless`: no other token will come of it. */
type Outcome = 'hopeless' | 'open';

async function report(
  { asking, take }: FetchParts,
  name: string,
  rejection: Omit<RejectionBody, 'consumer'>,
  waitMs: number,
): Promise<Outcome> {
  try {
    const answer = await asking.report(name, rejection, waitMs);
    if (isToken(answer)) take(answer);
    else if (HOPELESS.has(answer.outcome)) return 'hopeless';
    return 'open';
  } catch (error) {
    if (error instanceof FreshdError) return error.code === 'unknown_credential' ? 'hopeless' : 'open';
    throw error;
  }
}

const isToken = (answer: TokenBody | OutcomeBody): answer is TokenBody => 'access_token' in answer;

const HOPELESS: ReadonlySet<OutcomeBody['outcome']> = new Set(['ignored', 'not_refreshable']);

/** A stream is read once; whoever sends it again would send the rest of it, or nothing. */
function isReplayable(input: FetchInput, init: RequestInit): boolean {
  const body: unknown = init.body ?? (input instanceof Request ? input.body : null);
  return (
    body === null ||
    typeof body === 'string' ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof FormData ||
    body instanceof Blob
  );
}

/** Longer than refresh scripts usually take. */
const WAIT_MS_DEFAULT = 30_000;

/** A refusal comes in one piece with its head; whoever trickles it must not hold up the caller, whose answer it is. */
const REFUSAL_MS_MAX = 5_000;

/** What the daemon takes in a report. */
const REFUSAL_BYTES_MAX = 16 * 1024;
