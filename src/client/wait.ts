/**
 * Waiting for a token that meets a demand: from what is held, from the stream, or by asking the daemon to get one.
 *
 * Rule: every wait has a bound and ends for a reason that it names. What only a person can change ends it at once.
 */
import type { TokenBody } from '../api/protocol.ts';
import type { Asking, Demand } from './asking.ts';
import { asFreshdError, asksAPerson, FreshdError, type FreshdErrorCode } from './errors.ts';
import { type Holdings, tokenOf } from './holdings.ts';
import type { Runtime } from './runtime.ts';
import type { Token } from './standing.ts';

export interface WaitOptions {
  /** Only a token that stays valid this long; asks for one refresh where that can help. */
  readonly minValidMs?: number;
  /** Only another generation than this one. */
  readonly afterGeneration?: number;
  /** 60 s when left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | null | undefined;
}

export interface WaitParts {
  readonly holdings: Holdings;
  readonly asking: Asking;
  readonly runtime: Runtime;
  /** Calls back once, at the next news of that name, of the connection, or of the end. @returns how to call it off */
  readonly onceChanged: (name: string, wake: () => void) => () => void;
  readonly isClosed: () => boolean;
  /** How often a connection was made: another number means a daemon that may not know what was said before. */
  readonly connections: () => number;
  /** Takes what was read; tells the listeners. */
  readonly take: (body: TokenBody) => void;
}

/** What the daemon was told, and must be told again when it has been away. */
export interface Renewal {
  /** `connections()` before it was told. */
  readonly since: number;
  /** @throws FreshdError when no token will come of it */
  readonly tell: () => Promise<void>;
}

export interface InnerWaitOptions extends WaitOptions {
  /** Waits for a person, too. */
  readonly isPatient?: boolean;
  readonly renewal?: Renewal;
}

/**
 * @throws FreshdError `timeout`, `reauthorization_required`, `not_allowed`, `unknown_credential`, `min_valid_unattainable`,
 *   `closed`; the reason of the signal
 */
export async function waitForToken(parts: WaitParts, name: string, options: InnerWaitOptions): Promise<Token> {
  const { runtime, isClosed, connections } = parts;
  const { timeoutMs = WAIT_MS_DEFAULT, signal, isPatient = false, renewal } = options;
  const demand: Demand = { minValidMs: options.minValidMs ?? 0, afterGeneration: options.afterGeneration ?? null };
  const endsAtMs = runtime.nowMs() + timeoutMs;
  let refusal: FreshdError | null = null;
  let since = renewal?.since ?? 0;
  for (;;) {
    signal?.throwIfAborted();
    const found = suitable(parts, name, demand);
    if (found !== null) return found;
    if (isClosed()) throw new FreshdError('the client was closed', { code: 'closed', credential: name });
    const leftMs = endsAtMs - runtime.nowMs();
    if (leftMs <= 0) throw outOfTime(name, timeoutMs, refusal);
    if (renewal !== undefined && connections() !== since) {
      since = connections();
      await renewal.tell();
      continue;
    }
    // What is said by a refusal holds for a while; until then only news can change it.
    const pauseMs = refusal === null ? null : Math.min(leftMs, refusal.retryAfterMs ?? LOOK_AGAIN_MS);
    const asked = pauseMs === null ? ask(parts, name, { ...demand, waitMs: leftMs }) : null;
    const answer = await firstOf(parts, { name, asked, afterMs: pauseMs ?? leftMs, signal: signal ?? null });
    if (answer !== null && 'accessToken' in answer) return answer;
    refusal = answer;
    if (refusal !== null && ends(refusal.code, isPatient)) throw refusal;
  }
}

/** Held, long enough valid, of another generation where that is wanted, and not one that was just refused. */
function suitable({ holdings, runtime }: WaitParts, name: string, demand: Demand): Token | null {
  const token = holdings.valid(name);
  if (token === null || token.generation === demand.afterGeneration) return null;
  const lifeLeftMs = token.expiresAt === null ? Number.POSITIVE_INFINITY : token.expiresAt - runtime.nowMs();
  if (lifeLeftMs < demand.minValidMs) return null;
  return holdings.isRefused(token) ? null : token;
}

/** @returns a token only where it is none of that name: of a member of a chain that is not in use, and lives longer */
async function ask(
  { asking, take }: WaitParts,
  name: string,
  demand: Demand & { readonly waitMs: number },
): Promise<FreshdError | Token | null> {
  try {
    const body = await asking.read(name, demand);
    if ((body.chain ?? body.credential) !== name) return tokenOf(body);
    take(body);
    return null;
  } catch (error) {
    return asFreshdError(error);
  }
}

/** @returns what was asked, or null for news and for the end of the time */
function firstOf(
  { runtime, onceChanged }: WaitParts,
  options: {
    readonly name: string;
    readonly asked: Promise<FreshdError | Token | null> | null;
    readonly afterMs: number;
    readonly signal: AbortSignal | null;
  },
): Promise<FreshdError | Token | null> {
  const { name, asked, afterMs, signal } = options;
  return new Promise((resolve, reject) => {
    const settle = (answer: FreshdError | Token | null): void => {
      timer.cancel();
      callOff();
      signal?.removeEventListener('abort', wake);
      resolve(answer);
    };
    const wake = (): void => settle(null);
    const timer = runtime.after(afterMs, wake);
    const callOff = onceChanged(name, wake);
    signal?.addEventListener('abort', wake);
    asked?.then(settle, reject);
  });
}

function ends(code: FreshdErrorCode, isPatient: boolean): boolean {
  return asksAPerson(code) ? !isPatient : FINAL.has(code);
}

/** Waiting longer does not change these. */
const FINAL: ReadonlySet<FreshdErrorCode> = new Set([
  'unknown_credential',
  'min_valid_unattainable',
  'invalid_request',
  'permission_denied',
]);

function outOfTime(name: string, timeoutMs: number, refusal: FreshdError | null): FreshdError {
  const why = refusal === null ? '' : `: ${refusal.message}`;
  return new FreshdError(`no such token of ${name} came within ${timeoutMs / 1000} s${why}`, {
    code: 'timeout',
    credential: name,
    remedy: refusal?.remedy,
    cause: refusal ?? undefined,
  });
}

const WAIT_MS_DEFAULT = 60_000;

/** Where nothing says when to ask again: a daemon that is not there. */
const LOOK_AGAIN_MS = 1_000;
