/**
 * What an answer of a token endpoint means for a refresh.
 *
 * Rule: a code of RFC 6749 §5.2 goes before the status, and what an answer holds before its content type. In doubt is every
 * answer that neither grants nor refuses: the server may have rotated before it failed.
 */
import { meaningOf, structuredFailure } from '../../core/classify.ts';
import { classifyFailure } from '../../core/classify-failure.ts';
import type { Failure } from '../../core/failure.ts';
import type { RefreshOutcome } from '../../daemon/ports.ts';
import { readHttpDate, readRetryAfter } from '../oauth/http-date.ts';
import { hasError, type Json, objectIn } from '../oauth/json.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/**
 * @param circumstances `now`: epoch ms on arrival; `rotates`: the refresh token is single use
 * @returns a token response, its members verbatim; or a failure with no word of the server's but a known code
 * @see RFC 6749 §5.1, §5.2
 */
export function judgeAnswer(
  answer: Answer,
  circumstances: { readonly now: number; readonly rotates: boolean },
): RefreshOutcome {
  const json = objectIn(answer.body);
  if (json !== null && isSuccess(answer) && !hasError(json) && hasToken(json)) {
    return { kind: 'response', response: json };
  }
  const failure = named(answer, json, circumstances) ?? unnamed(answer, json, circumstances);
  const skewMs = clockSkewMs(answer.headers, circumstances.now);
  return { kind: 'failure', failure: skewMs === null ? failure : { ...failure, clockSkewMs: skewMs } };
}

/**
 * How far the server's clock is ahead of ours.
 * @returns null within a minute, which a slow answer and a careless clock explain
 */
export function clockSkewMs(headers: Headers, now: number): number | null {
  const date = readHttpDate(headers.get('date'));
  if (date === null || Math.abs(date - now) <= SKEW_MS_MAX) return null;
  return date - now;
}

interface Circumstances {
  readonly now: number;
  readonly rotates: boolean;
}

/** By the code in the body. */
function named(answer: Answer, json: Json | null, { now, rotates }: Circumstances): Failure | null {
  const failure = json === null ? null : structuredFailure(json, rotates);
  if (failure === null) return null;
  const isUnknown = failure.code === 'unrecognized_error';
  // What a server does not name in the words of the standard, its status still tells.
  if (isUnknown && !isSuccess(answer)) return null;
  const retryAfterMs = failure.retryAfterMs ?? readRetryAfter(answer.headers, now);
  return { ...failure, doubt: failure.doubt && !isRefusal(answer), retryAfterMs };
}

/** By what providers are known to say, else by the status and by what was expected of it. */
function unnamed(answer: Answer, json: Json | null, { now, rotates }: Circumstances): Failure {
  const { status, body } = answer;
  const found = classifyFailure({ context: 'token-endpoint', httpStatus: status, text: body });
  const failureClass = found.class === 'not_auth' ? 'transient' : found.class;
  const isByStatus = /^(?:page|unexplained|status:)/.test(found.rule);
  const said = { code: found.code, detail: `by its answer (${found.code}, status ${status}): ${meaningOf(found)}` };
  return {
    class: failureClass,
    ...(isByStatus ? describe(answer, json) : said),
    doubt: failureClass === 'transient' && rotates && !isRefusal(answer),
    unsent: false,
    origin: 'server',
    retryAfterMs: readRetryAfter(answer.headers, now),
  };
}

function describe({ status }: Answer, json: Json | null): { readonly code: string; readonly detail: string } {
  if (status === 429) return { code: 'rate_limited', detail: 'it is asked too often (status 429)' };
  if (status >= 300 && status < 400) {
    return {
      code: 'redirected',
      detail: `expected a token response, got a redirect (status ${status}); it is not followed: correct the endpoint`,
    };
  }
  if (status < 300) {
    return json === null
      ? { code: 'not_json', detail: `expected JSON, got something else (status ${status}): perhaps a login page` }
      : { code: 'no_access_token', detail: `expected an access_token, got other JSON (status ${status})` };
  }
  const seen = json === null ? 'a page' : 'JSON without an error code of RFC 6749';
  return { code: `http_${status}`, detail: `expected a token response, got status ${status} with ${seen}` };
}

/** It looked at the request and did not do it. */
const isRefusal = ({ status }: Answer): boolean => status >= 400 && status < 500;

const isSuccess = ({ status }: Answer): boolean => status >= 200 && status < 300;

const hasToken = (json: Json): boolean =>
  [json.access_token, json.refresh_token].some((value) => typeof value === 'string' && value !== '');

// Tokens are issued with that much tolerance as a rule; more, and their times cannot be believed.
const SKEW_MS_MAX = 60_000;
