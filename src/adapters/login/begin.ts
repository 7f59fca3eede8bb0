/**
 * What both ways of logging in share: whom they talk to, and how the last answer, the one with the tokens, is read.
 *
 * Rule: tokens are returned, never shown; errors are told by known codes, never in a server's words.
 */
import type * as oauth from 'oauth4webapi';
import type { TokenResponse } from '../../core/token.ts';
import { PortError } from '../../daemon/ports.ts';
import type { Connected, EndpointName, OauthClient } from '../oauth/client.ts';
import { hasError, objectIn } from '../oauth/json.ts';
import { timeLimit } from '../oauth/limit.ts';
import { NoAnswer } from '../oauth/no-answer.ts';

export interface LoginOptions {
  readonly client: OauthClient;
  readonly scope: string | null;
  /** More members of the request that begins the login. */
  readonly loginParameters: Readonly<Record<string, string>>;
  /** More members of the request that brings the tokens. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Of each exchange with the server. */
  readonly timeoutMs: number;
  /** Says to a person what is to be done. */
  readonly show: (text: string) => void;
}

/** One exchange, with a time limit of its own. @throws PortError `login_unreachable`, `login_misconfigured` */
export async function ask<T>(
  { client, timeoutMs }: LoginOptions,
  needs: readonly EndpointName[],
  work: (via: Connected) => Promise<T>,
): Promise<T> {
  const limit = timeLimit(timeoutMs, 'timeout', `expected an answer within ${timeoutMs} ms, got none`);
  try {
    return await work(await client.connect([limit], needs));
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    const remedy = 'correct what the message names, then: freshd login again';
    const isHere = HERE_CODES.has(error.code);
    throw new PortError(error.message, { code: isHere ? 'login_misconfigured' : 'login_unreachable', remedy });
  }
}

export type Reply =
  | { readonly kind: 'tokens'; readonly response: TokenResponse }
  /** The server's code where it looks like one. `isPage`: it is no JSON, so perhaps not of that server at all. */
  | { readonly kind: 'error'; readonly code: string; readonly status: number; readonly isPage: boolean };

export async function readReply(response: Response): Promise<Reply> {
  const { status } = response;
  const text = await response.text();
  const json = objectIn(text);
  if (json !== null && !hasError(json) && response.ok && typeof json.access_token === 'string') {
    return { kind: 'tokens', response: json };
  }
  return { kind: 'error', code: errorCodeIn(text), status, isPage: json === null };
}

/** Only what looks like a code of a standard; nothing else of an answer is shown. */
export function errorCodeIn(text: string): string {
  return knownCode(objectIn(text)?.error);
}

export function knownCode(code: unknown): string {
  const isCode = typeof code === 'string' && /^[a-z]+(?:_[a-z]+)*$/.test(code) && code.length <= CODE_LENGTH_MAX;
  return isCode ? code : 'unrecognized_error';
}

/** @throws PortError `no_refresh_token`: mixed with the refresh token of a former login it would be nobody's grant */
export function withRefreshToken(response: TokenResponse): TokenResponse {
  if (typeof response.refresh_token === 'string' && response.refresh_token !== '') return response;
  const remedy = 'ask for one: with many servers by "scope": "… offline_access", or "loginParameters"';
  throw new PortError(`expected a refresh token with the login, got none; ${remedy}`, {
    code: 'no_refresh_token',
    remedy,
  });
}

export function refused(code: string, status?: number): PortError {
  const seen = status === undefined ? code : `${code} (status ${status})`;
  const remedy = REMEDIES[code] ?? 'see what the server requires of this client, then: freshd login again';
  return new PortError(`the server refused the login: ${seen}; ${remedy}`, { code: 'login_refused', remedy });
}

/** Empty ones are left out: some servers refuse them. */
export function beginningParameters({ scope, loginParameters }: LoginOptions): Record<string, string> {
  return { ...loginParameters, ...(scope === null ? {} : { scope }) };
}

/** Options of the request that brings the tokens. */
export function redeemingOptions({ parameters }: LoginOptions, { http }: Connected): oauth.TokenEndpointRequestOptions {
  return { additionalParameters: { ...parameters }, ...http };
}

/** Cured on this machine. */
const HERE_CODES: ReadonlySet<string> = new Set([
  'ca_file_unreadable',
  'proxy_unsupported',
  'endpoint_unknown',
  'endpoint_not_private',
  'issuer_mismatch',
]);

const REMEDIES: Readonly<Record<string, string>> = {
  access_denied: 'agree to it this time, and: freshd login again',
  expired_token: 'the code was not used in time: freshd login again',
  invalid_client: 'correct "clientId" and "clientSecret"',
  unauthorized_client: 'this client may not log in this way: register it for it, or use another way',
  invalid_scope: 'correct "scope"',
};

const CODE_LENGTH_MAX = 40;
