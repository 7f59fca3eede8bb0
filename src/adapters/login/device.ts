/**
 * Logging in with a code that is typed in elsewhere: the device flow.
 *
 * Rule: asks as often as the server allows, never more often, and stops when its code has ended.
 * @see RFC 8628
 */
import * as oauth from 'oauth4webapi';
import { readSeconds } from '../../core/moment.ts';
import type { TokenResponse } from '../../core/token.ts';
import { PortError } from '../../daemon/ports.ts';
import { type Json, objectIn } from '../oauth/json.ts';
import {
  ask,
  beginningParameters,
  errorCodeIn,
  type LoginOptions,
  type Reply,
  readReply,
  redeemingOptions,
  refused,
} from './begin.ts';

export interface DeviceOptions extends LoginOptions {
  /** Monotonic, in ms. */
  readonly now: () => number;
  readonly pause: (durationMs: number) => Promise<void>;
}

/** @throws PortError `login_refused`, `login_expired`, `login_unreachable`, `login_misconfigured` */
export async function loginByDevice(options: DeviceOptions): Promise<TokenResponse> {
  const begun = await begin(options);
  const endsAt = options.now() + begun.lifeMs;
  options.show(promptOf(begun));
  let wasLost = false;
  for (let { intervalMs } = begun; ; ) {
    await options.pause(intervalMs);
    if (options.now() >= endsAt) throw expired();
    const answer = await poll(options, begun.deviceCode);
    if (answer.kind === 'tokens') return answer.response;
    if (answer.kind === 'slower') intervalMs += SLOWER_MS;
    if (answer.kind !== 'lost') continue;
    if (!wasLost) options.show('the server gives no answer; it is asked again …\n');
    wasLost = true;
    intervalMs = Math.min(intervalMs * 2, INTERVAL_MS_MAX);
  }
}

/** What the server gave out for this login. */
interface Begun {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly address: string;
  /** With the code in it. */
  readonly completeAddress: string | null;
  readonly lifeMs: number;
  readonly intervalMs: number;
}

async function begin(options: DeviceOptions): Promise<Begun> {
  const parameters = beginningParameters(options);
  return await ask(options, ['token_endpoint', 'device_authorization_endpoint'], async (via) => {
    const { server, client, authentication, http } = via;
    const response = await oauth.deviceAuthorizationRequest(server, client, authentication, parameters, http);
    const text = await response.text();
    const begun = response.ok ? begunIn(objectIn(text) ?? {}) : null;
    if (begun !== null) return begun;
    throw refused(errorCodeIn(text), response.status);
  });
}

/** RFC 8628 §3.2, and the older name of the address that some servers still use. */
function begunIn(json: Json): Begun | null {
  const [deviceCode, userCode] = [textIn(json.device_code), textIn(json.user_code)];
  const address = textIn(json.verification_uri) ?? textIn(json.verification_url);
  if (deviceCode === null || userCode === null || address === null) return null;
  return {
    deviceCode,
    userCode,
    address,
    completeAddress: textIn(json.verification_uri_complete),
    lifeMs: readSeconds(json.expires_in) ?? LIFE_MS,
    intervalMs: Math.max(INTERVAL_MS_MIN, readSeconds(json.interval) ?? INTERVAL_MS),
  };
}

/** One line: it goes to a terminal. */
const textIn = (value: unknown): string | null =>
  typeof value === 'string' && /^\P{Cc}{1,2048}$/u.test(value) ? value : null;

type Polled =
  | { readonly kind: 'tokens'; readonly response: TokenResponse }
  | { readonly kind: 'pending' | 'slower' | 'lost' };

async function poll(options: DeviceOptions, deviceCode: string): Promise<Polled> {
  try {
    const reply = await ask(options, ['token_endpoint'], async (via) => {
      const { server, client, authentication } = via;
      const more = redeemingOptions(options, via);
      return await readReply(await oauth.deviceCodeGrantRequest(server, client, authentication, deviceCode, more));
    });
    if (reply.kind === 'tokens') return reply;
    if (reply.code === 'authorization_pending') return { kind: 'pending' };
    if (reply.code === 'slow_down') return { kind: 'slower' };
    if (reply.code === 'expired_token') throw expired();
    if (reply.code !== 'access_denied' && saysNothing(reply)) return { kind: 'lost' };
    throw refused(reply.code, reply.status);
  } catch (error) {
    // RFC 8628 §3.5: after a lost answer it is asked again, less often.
    if (error instanceof PortError && error.code === 'login_unreachable') return { kind: 'lost' };
    throw error;
  }
}

/** About the code: a server in trouble, one that is asked too often, a page from something in between. */
function saysNothing({ code, status, isPage }: Exclude<Reply, { kind: 'tokens' }>): boolean {
  return isPage || status >= 500 || status === 429 || code === 'server_error' || code === 'temporarily_unavailable';
}

function promptOf({ address, completeAddress, userCode, lifeMs }: Begun): string {
  const complete = completeAddress === null ? '' : `or open, with the code in it:  ${completeAddress}\n`;
  const patience = `waiting, for at most ${Math.ceil(lifeMs / 60_000)} min …\n`;
  return `open in any browser:  ${address}\nand type in this code:  ${userCode}\n${complete}${patience}`;
}

function expired(): PortError {
  const remedy = 'freshd login again';
  return new PortError(`the code was not used in time; ${remedy}`, { code: 'login_expired', remedy });
}

// RFC 8628 §3.2: the interval where none is given. §3.5: what `slow_down` adds.
const INTERVAL_MS = 5_000;
const SLOWER_MS = 5_000;
const INTERVAL_MS_MAX = 60_000;
const INTERVAL_MS_MIN = 100;

// §3.2 requires it; where it is missing all the same, this is what most give.
const LIFE_MS = 600_000;
