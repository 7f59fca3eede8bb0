/**
 * Classification: what the end of a refresh script means, decided once and from structure alone.
 *
 * Rule: a complete token response wins, then the exit status of the contract, then a structured error, and last what
 * known tools print on their stderr; other prose never counts.
 */
import { classifyFailure } from './classify-failure.ts';
import type { Classification } from './classify-steps.ts';
import type { Failure } from './failure.ts';
import { envelopeIn } from './failure-envelope.ts';
import { OAUTH_ERRORS } from './failure-oauth.ts';
import type { TokenResponse } from './token.ts';

/** Where the contract says that the result is to be found (`refresh.result`). */
export type ResultKind = 'stdout' | 'text' | 'store';

/** Standard output, decoded but not yet judged. */
export type ScriptOutput =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly json: Readonly<Record<string, unknown>> }
  /** Anything else that is text: prose, HTML, half of a JSON document, a bare token. */
  | { readonly kind: 'text'; readonly text: string }
  /** Not UTF-8, or with control characters that no text has. */
  | { readonly kind: 'binary' };

/** How a run of a script ended. */
export interface ScriptRun {
  /** `exited`: by itself; otherwise freshd ended it, and why. */
  readonly ending: 'exited' | 'timed_out' | 'output_too_large' | 'cancelled';
  /** Null when a signal ended it, or nothing is known. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly output: ScriptOutput;
  /** What it printed for people; asked last, and never repeated. */
  readonly stderr?: string;
  readonly result: ResultKind;
  /** The refresh token is single use: an unexplained end leaves a doubt. */
  readonly rotates: boolean;
}

export type ScriptVerdict =
  | { readonly kind: 'response'; readonly response: TokenResponse }
  /** The script says that the store holds the new token; whether it moved is for the caller to see. */
  | { readonly kind: 'stored' }
  | { readonly kind: 'failure'; readonly failure: Failure };

/**
 * Judges one finished run.
 * @returns the token response, `stored`, or a failure whose `detail` says in our words what was seen; never throws
 * @see RFC 6749 §5.1, §5.2; sysexits(3) for 74, 75, 77, 78
 */
export function classifyScriptResult(run: ScriptRun): ScriptVerdict {
  const response = responseIn(run);
  if (response !== null) return { kind: 'response', response };
  const json = run.output.kind === 'json' ? run.output.json : null;
  const structured = json === null ? null : structuredFailure(json, run.rotates);
  const byExit = run.exitCode === null ? null : contractFailure(run.exitCode, run.rotates);
  if (byExit !== null) return failed(merged(byExit, structured));
  const enveloped = envelopedFailure(run);
  if (run.result === 'store' && succeeded(run) && enveloped === null) return { kind: 'stored' };
  return failed(structured ?? enveloped ?? toldFailure(run) ?? unexplained(run));
}

function failed(failure: Failure): ScriptVerdict {
  return { kind: 'failure', failure };
}

function succeeded(run: ScriptRun): boolean {
  return run.ending === 'exited' && run.exitCode === 0;
}

/** The one complete token response of this run, whatever its exit status or signal (F77). */
function responseIn(run: ScriptRun): TokenResponse | null {
  // What was cut off is not complete, however it looks.
  if (run.ending === 'output_too_large') return null;
  switch (run.result) {
    case 'stdout':
      return run.output.kind === 'json' && isTokenResponse(run.output.json) ? run.output.json : null;
    case 'text':
      // A bare word has no structure to tell a token from a message, so here the exit status must agree.
      return succeeded(run) && run.output.kind === 'text' && isBareToken(run.output.text)
        ? { access_token: run.output.text }
        : null;
    case 'store':
      return null;
  }
}

/** An access token, or at least a refresh token, which must not be lost (F14); an answer that names an error is one (F13). */
function isTokenResponse(json: Readonly<Record<string, unknown>>): boolean {
  if (errorCodeIn(json) !== null) return false;
  return isTokenMember(json.access_token) || isTokenMember(json.refresh_token);
}

/** A line break or NUL in a token is damage, and would end up in headers and files. */
function isTokenMember(value: unknown): boolean {
  return typeof value === 'string' && value.length <= TOKEN_CHARACTERS_MAX && /^\P{Cc}+$/u.test(value);
}

/** One word of visible ASCII characters. */
function isBareToken(text: string): boolean {
  return text.length <= TOKEN_CHARACTERS_MAX && /^[\x21-\x7e]+$/.test(text);
}

/** The exit statuses that the contract gives a meaning; null for all others. */
function contractFailure(exitCode: number, rotates: boolean): Failure | null {
  switch (exitCode) {
    case 75:
      return failure({
        class: 'transient',
        code: 'exit_75',
        unsent: true,
        detail: 'the script could not reach the server; nothing was sent (exit status 75)',
      });
    case 74:
      return failure({
        class: 'transient',
        code: 'exit_74',
        doubt: rotates,
        detail: 'the script lost the connection, perhaps after its request was sent (exit status 74)',
      });
    case 77:
      return failure({
        class: 'terminal',
        code: 'exit_77',
        detail: 'the script says that a person must log in again (exit status 77)',
      });
    case 78:
      // Only a run can tell whether it is cured: for the schedule that is as with a code from the server.
      return failure({
        class: 'config',
        code: 'exit_78',
        detail: 'the script says that its configuration is wrong (exit status 78)',
      });
    default:
      return null;
  }
}

/** The exit status decides; a structured error of the same class names it better, and knows how long to wait. */
function merged(byExit: Failure, structured: Failure | null): Failure {
  if (structured === null) return byExit;
  const code = structured.class === byExit.class && !byExit.unsent ? structured.code : byExit.code;
  return { ...byExit, code, retryAfterMs: structured.retryAfterMs };
}

/**
 * The failure that a JSON answer names, as a token endpoint or a script gives it.
 * @returns null when it names none
 * @see RFC 6749 §5.2
 */
export function structuredFailure(json: Readonly<Record<string, unknown>>, rotates: boolean): Failure | null {
  const stated = errorCodeIn(json);
  const found = classifyFailure({ context: 'token-endpoint', httpStatus: null, text: JSON.stringify(json) });
  const retryAfterMs = retryAfterMsIn(json);
  if (isByCode(found, stated)) {
    const meaning = meaningOf(found);
    const detail = `the server answered ${found.code}: ${meaning}`;
    // A server in trouble may have committed the rotation before it said so.
    const doubt = found.class === 'transient' && rotates;
    return failure({ class: found.class, code: found.code, doubt, retryAfterMs, detail });
  }
  if (stated === null) return null;
  // Not repeated as a code, which becomes a label of metrics; plain words are shown, and hide no secret.
  const seen = /^[a-z]+(?:_[a-z]+)*$/.test(stated) && stated.length <= 40 ? `: ${stated}` : '';
  const detail = `the answer names an error that freshd does not know${seen}`;
  return failure({ class: 'transient', code: 'unrecognized_error', doubt: rotates, retryAfterMs, detail });
}

/** What a code means, for people; continues a colon. */
export function meaningOf({ code, class: failureClass }: Pick<Failure, 'class' | 'code'>): string {
  return OAUTH_ERRORS.get(code)?.meaning ?? MEANINGS[failureClass];
}

/** Codes alone: sentences in JSON are prose. Those of RFC 6749 only in the place that it gives them. */
function isByCode({ rule }: Classification, stated: string | null): boolean {
  return rule.startsWith('rfc6749:') ? stated !== null : !/^(?:none|page|unexplained|phrase:|status:)/.test(rule);
}

/** Tools of agents print their failures on stdout, with status 0 at times; the envelope says so. */
function envelopedFailure(run: ScriptRun): Failure | null {
  if (run.output.kind !== 'json') return null;
  const text = JSON.stringify(run.output.json);
  return envelopeIn(text) === null ? null : fromWords(text, run);
}

/** What was cut off by freshd explains nothing: it may have been about to go well. */
function toldFailure(run: ScriptRun): Failure | null {
  const { stderr = '' } = run;
  return run.ending === 'exited' && run.signal === null && stderr !== '' ? fromWords(stderr, run) : null;
}

/** Words do not tell how far a request came, so whatever may pass leaves a doubt. */
function fromWords(text: string, { rotates }: ScriptRun): Failure | null {
  const found = classifyFailure({ context: 'script-stderr', httpStatus: null, text });
  if (found.class === 'not_auth') return null;
  const { class: failureClass, code } = found;
  const detail = `by its message (${code}): ${meaningOf(found)}`;
  return failure({ class: failureClass, code, doubt: failureClass === 'transient' && rotates, detail });
}

function errorCodeIn(json: Readonly<Record<string, unknown>>): string | null {
  const error = json.error;
  return typeof error === 'string' && error !== '' ? error : null;
}

/** Seconds, as a number or a numeric string; anything else is as if it were not there. */
function retryAfterMsIn(json: Readonly<Record<string, unknown>>): number | null {
  const value = json.retry_after;
  const seconds = typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) return null;
  return Math.round(seconds * 1000);
}

/** Nothing says what went wrong: transient, and in doubt where the refresh token is single use. */
function unexplained(run: ScriptRun): Failure {
  const { code, detail } = unexplainedEnd(run);
  return failure({ class: 'transient', code, doubt: run.rotates, detail });
}

function unexplainedEnd(run: ScriptRun): { readonly code: string; readonly detail: string } {
  switch (run.ending) {
    case 'timed_out':
      return { code: 'timeout', detail: 'the script did not finish in time and was ended' };
    case 'output_too_large':
      return { code: 'output_too_large', detail: 'the script printed more than 1 MiB and was ended' };
    case 'cancelled':
      return { code: 'cancelled', detail: 'the script was ended before it finished' };
    case 'exited':
      break;
  }
  if (run.signal !== null) {
    return { code: `signal_${run.signal.toLowerCase()}`, detail: `the script was killed by ${run.signal}` };
  }
  if (run.exitCode !== 0) {
    return { code: `exit_${run.exitCode ?? 'unknown'}`, detail: `exit status ${run.exitCode ?? 'unknown'}` };
  }
  if (run.output.kind === 'empty') {
    return { code: 'empty_output', detail: `exit status 0, but ${EXPECTED[run.result]} was expected and nothing came` };
  }
  const seen = { json: 'other JSON', text: 'other text', binary: 'binary data' }[run.output.kind];
  return { code: 'malformed_output', detail: `expected ${EXPECTED[run.result]} on stdout, got ${seen}` };
}

function failure(known: Pick<Failure, 'class' | 'code' | 'detail'> & Partial<Failure>): Failure {
  return { doubt: false, unsent: false, origin: 'server', retryAfterMs: null, ...known };
}

/** For codes that no RFC explains; continues a colon. */
const MEANINGS: Readonly<Record<Failure['class'], string>> = {
  transient: 'it may pass',
  rate_limited: 'it is asked too often, or its quota is used up',
  terminal: 'a person must log in again',
  config: 'the configuration, not the token, is refused',
  not_auth: 'it is not about the token',
};

const EXPECTED: Readonly<Record<ResultKind, string>> = {
  stdout: 'one JSON token response',
  text: 'one bare token',
  store: 'a changed store',
};

// HTTP headers, where every token travels, end at 8 to 64 KiB; what is longer is a page.
const TOKEN_CHARACTERS_MAX = 65_536;
