/**
 * The native refresh: the refresh grant of RFC 6749 §6, sent by freshd itself.
 *
 * Rule: one attempt is one request to the token endpoint, never repeated here. The stored refresh token leaves this process
 * only in that request; no message holds anything of it, of the secret, or of what a server wrote.
 */
import * as oauth from 'oauth4webapi';
import type { Failure } from '../../core/failure.ts';
import type { LogPort, RefreshOutcome, RefreshPort, RefreshRequest } from '../../daemon/ports.ts';
import { createOauthClient, type OauthClient, type OauthClientOptions } from '../oauth/client.ts';
import { type Limit, timeLimit } from '../oauth/limit.ts';
import { NoAnswer } from '../oauth/no-answer.ts';
import { clockSkewMs, judgeAnswer } from './oauth-answer.ts';

export interface OauthRefreshOptions extends OauthClientOptions {
  readonly scope: string | null;
  /** More members of the request, such as `resource` or `audience`. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Of discovery, connection, request and answer together. */
  readonly timeoutMs: number;
  readonly rotates: boolean;
  /** Epoch ms. */
  readonly now: () => number;
  readonly log: LogPort['write'];
}

export function createOauthRefresh(options: OauthRefreshOptions): RefreshPort {
  const client = createOauthClient(options);
  const cancellations = new Map<number, AbortController>();

  return {
    async obstacle() {
      try {
        await client.readCa();
        return null;
      } catch (error) {
        return failureOf(error, options);
      }
    },
    async run(request) {
      const cancellation = new AbortController();
      cancellations.set(request.attempt, cancellation);
      try {
        return await refresh(request, { client, options, cancelled: cancellation.signal });
      } catch (error) {
        return { kind: 'failure', failure: failureOf(error, options) };
      } finally {
        cancellations.delete(request.attempt);
      }
    },
    cancel(attempt) {
      cancellations.get(attempt)?.abort();
    },
  };
}

interface Run {
  readonly client: OauthClient;
  readonly options: OauthRefreshOptions;
  readonly cancelled: AbortSignal;
}

/** @throws NoAnswer */
async function refresh(request: RefreshRequest, { client, options, cancelled }: Run): Promise<RefreshOutcome> {
  const refreshToken = request.tokens?.refreshToken ?? null;
  if (refreshToken === null) return { kind: 'failure', failure: NO_REFRESH_TOKEN };
  const limits: readonly Limit[] = [
    timeLimit(options.timeoutMs, 'timeout', `expected an answer within ${options.timeoutMs} ms, got none`),
    { signal: cancelled, code: 'cancelled', message: 'the attempt was cancelled' },
  ];
  const { server, client: id, authentication, http } = await client.connect(limits, ['token_endpoint']);
  const scope = options.scope === null ? {} : { scope: options.scope };
  const response = await oauth.refreshTokenGrantRequest(server, id, authentication, refreshToken, {
    additionalParameters: { ...options.parameters, ...scope },
    ...http,
  });
  const { status, headers } = response;
  const now = options.now();
  const skewMs = clockSkewMs(headers, now);
  if (skewMs !== null) {
    options.log('warn', 'clock_skew', { credential: request.credential, attempt: request.attempt, byMs: skewMs });
  }
  const outcome = judgeAnswer({ status, headers, body: await response.text() }, { now, rotates: options.rotates });
  // Endpoints move, rarely; whoever is refused looks again where they are.
  if (outcome.kind === 'failure') client.forget();
  return outcome;
}

/** @throws whatever is no NoAnswer: a bug */
function failureOf(error: unknown, { rotates }: OauthRefreshOptions): Failure {
  if (!(error instanceof NoAnswer)) throw error;
  const { code, isSent, message } = error;
  const origin = LOCAL_CODES.has(code) ? 'local' : 'server';
  const isConfig = LOCAL_CODES.has(code) || SERVER_CONFIG_CODES.has(code);
  return {
    class: isConfig ? 'config' : 'transient',
    code,
    doubt: isSent && rotates,
    unsent: !isSent,
    origin,
    retryAfterMs: null,
    detail: message,
  };
}

const NO_REFRESH_TOKEN: Failure = {
  class: 'terminal',
  code: 'no_refresh_token',
  doubt: false,
  unsent: true,
  origin: 'local',
  retryAfterMs: null,
  detail: 'expected a refresh token in the store, found none; log in again, with a scope that grants one',
};

/** Cured by a file or a restart here; looked at again by `obstacle`, without a request. */
const LOCAL_CODES: ReadonlySet<string> = new Set(['ca_file_unreadable']);

/** Cured only by another configuration or another document of the server. */
const SERVER_CONFIG_CODES: ReadonlySet<string> = new Set([
  'proxy_unsupported',
  'endpoint_unknown',
  'endpoint_not_private',
  'issuer_mismatch',
]);
