/**
 * The composition of `freshd login`: a grant of one's own, from the authorization server into the store.
 *
 * Rule: needs no daemon and tells none; a running one notices the store. The store's lock is held for the write alone, not
 * while a person is busy. No token passes through here but into the store.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { withRefreshToken } from '../adapters/login/begin.ts';
import { loginByBrowser } from '../adapters/login/browser.ts';
import { loginByDevice } from '../adapters/login/device.ts';
import { preparePlace } from '../adapters/login/place.ts';
import { createOauthClient } from '../adapters/oauth/client.ts';
import { systemClock } from '../adapters/system-clock.ts';
import type { Config, CredentialConfig, OauthConfig } from '../config/config.ts';
import { storeDefaults } from '../core/store-format.ts';
import type { Fingerprint, TokenResponse } from '../core/token.ts';
import { dateResponse } from '../core/token-response.ts';
import { buildCredential, createSite } from './parts.ts';
import { PortError, type StorePort, type StoreReading } from './ports.ts';
import { pause } from './time-limit.ts';

export interface LoginRequest {
  readonly config: Config;
  readonly credential: CredentialConfig & { readonly refresh: OauthConfig };
  /** Null: the device flow where the server has it. */
  readonly way: 'device' | 'browser' | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly show: (text: string) => void;
}

export type LoginResult =
  /** `isOtherAccount`: the store held another one's login before. */
  | { readonly ok: true; readonly storePath: string; readonly isOtherAccount: boolean }
  | { readonly ok: false; readonly code: string; readonly message: string };

export async function logIn(request: LoginRequest): Promise<LoginResult> {
  try {
    const { store } = buildCredential(request.credential, siteOf(request)).parts;
    await refuseUnlessKeepable(store, request.credential);
    return await keep(store, withRefreshToken(await obtain(request)), lockLimitMs(request.credential.policy));
  } catch (error) {
    if (error instanceof PortError) return { ok: false, code: error.code, message: error.message };
    throw error;
  }
}

async function obtain(request: LoginRequest): Promise<TokenResponse> {
  const { refresh, policy } = request.credential;
  const { environment, show } = request;
  const client = createOauthClient({ ...refresh, environment });
  const { scope, parameters, loginParameters, redirectUri } = refresh;
  const common = { client, scope, parameters, loginParameters, timeoutMs: policy.refreshTimeoutMs, show };
  const byDevice = () => loginByDevice({ ...common, now: () => systemClock.now().monotonicMs, pause });
  const byBrowser = () => loginByBrowser({ ...common, redirectUri, patienceMs: PATIENCE_MS });
  const way = request.way ?? wayOf(refresh);
  if (way !== null) return await (way === 'device' ? byDevice() : byBrowser());
  try {
    return await byDevice();
  } catch (error) {
    if (!(error instanceof PortError) || error.code !== 'login_misconfigured') throw error;
    return await byBrowser();
  }
}

/** @returns null where only a discovery document can tell */
function wayOf({ deviceAuthorizationEndpoint, authorizationEndpoint }: OauthConfig): 'device' | 'browser' | null {
  if (deviceAuthorizationEndpoint !== null) return 'device';
  return authorizationEndpoint === null ? null : 'browser';
}

/**
 * Before a person has had any trouble: what would only fail afterwards, with a grant in hand that nothing keeps.
 * @throws PortError `store_broken`, `login_missing`, or why nothing can be written there
 */
async function refuseUnlessKeepable(store: StorePort, { store: { format } }: CredentialConfig): Promise<void> {
  const reading = await store.read();
  if (reading.kind === 'broken') {
    const remedy = 'repair or remove the file; what is broken is never overwritten';
    throw new PortError(`would not write: ${reading.detail}; ${remedy}`, { code: 'store_broken', remedy });
  }
  const { creatable, loginRemedy } = storeDefaults(format);
  if (reading.kind === 'missing' && !creatable) {
    const remedy = `first log in with the tool that owns the file${loginRemedy === null ? '' : ` (${loginRemedy})`}`;
    throw new PortError(`${reading.detail}: only its tool begins it; ${remedy}`, { code: 'login_missing', remedy });
  }
  if (store.path !== null) await preparePlace(store.path);
}

/** A person's login goes before whatever stood there, but for a file that cannot be understood. */
async function keep(store: StorePort, response: TokenResponse, lockMs: number): Promise<LoginResult> {
  const release = await store.lock(lockMs, 'write');
  try {
    const before = accountIn(await store.read());
    const dated = dateResponse(response, systemClock.now().wallMs);
    const { found } = await store.write(dated, () => true);
    const after = accountIn(found);
    const isOtherAccount = before !== null && after !== null && before !== after;
    return { ok: true, storePath: store.path ?? 'its store', isOtherAccount };
  } finally {
    await release();
  }
}

const accountIn = (reading: StoreReading): string | null => (reading.kind === 'tokens' ? reading.tokens.account : null);

/** Only the store is wanted of it: nothing is logged, compared or spooled. */
function siteOf({ config, environment, platform }: LoginRequest) {
  return createSite({
    config,
    environment,
    platform,
    fingerprint: () => randomUUID() as string as Fingerprint,
    clock: systemClock,
    log: { write: () => undefined },
    spoolDirectory: join(config.stateDirectory, 'no-spool'),
  });
}

// As long as most servers let their own page wait.
const PATIENCE_MS = 600_000;

/** Longer than an attempt of the daemon can hold the lock: a login that a person has made must not fail for that. */
export function lockLimitMs({ refreshTimeoutMs, killGraceMs }: CredentialConfig['policy']): number {
  return refreshTimeoutMs + killGraceMs + LOCK_SLACK_MS;
}

// The polls of the store and the writes of an attempt, and the wait for another one in line.
const LOCK_SLACK_MS = 30_000;
