/**
 * `refresh.oauth` from its written form to its resolved one, with the checks that need several keys at once.
 *
 * Rule: pure but for the problems it reports; no message repeats a secret.
 */
import type { OauthConfig, StoreConfig } from './config.ts';
import { SETTING_TABLE } from './limits.ts';
import { isLoopback } from './loopback.ts';
import { type At, type Resolver, report, resolveFile, resolveText, resolveValue } from './resolver.ts';
import type { RawOauth } from './schema-oauth.ts';

export function resolveOauth(resolver: Resolver, at: At, raw: RawOauth): OauthConfig {
  const textAt = (key: keyof RawOauth): string | null => {
    const value = raw[key];
    return typeof value === 'string' ? resolveValue(resolver, [...at, key], value) : null;
  };
  const urlAt = (key: keyof RawOauth): string | null => checkedUrl(resolver, [...at, key], textAt(key));
  if (raw.tokenEndpoint === undefined && raw.issuer === undefined) {
    report(resolver, [...at, 'tokenEndpoint'], {
      expected: '"tokenEndpoint" or "issuer"',
      seen: 'neither',
      remedy: 'say where the refresh token is sent',
    });
  }
  return {
    kind: 'oauth',
    tokenEndpoint: urlAt('tokenEndpoint'),
    issuer: urlAt('issuer'),
    clientId: textAt('clientId') ?? '',
    clientSecret: textAt('clientSecret'),
    clientAuthentication: authenticationOf(resolver, at, raw),
    scope: textAt('scope'),
    parameters: resolveParameters(resolver, [...at, 'parameters'], raw.parameters ?? {}),
    body: raw.body ?? 'form',
    caFile: raw.caFile === undefined ? null : resolveFile(resolver, [...at, 'caFile'], raw.caFile),
    connectTimeoutMs: Math.round(
      (raw.connectTimeoutSeconds ?? SETTING_TABLE.connectTimeoutSeconds.default) * MS_PER_SECOND,
    ),
    authorizationEndpoint: urlAt('authorizationEndpoint'),
    deviceAuthorizationEndpoint: urlAt('deviceAuthorizationEndpoint'),
    loginParameters: resolveParameters(resolver, [...at, 'loginParameters'], raw.loginParameters ?? {}),
    redirectUri: loopbackOnly(resolver, [...at, 'redirectUri'], textAt('redirectUri')),
  };
}

/** A store that cannot hold a refresh token would lose the first one that rotates. */
export function checkHoldsRefreshToken(resolver: Resolver, at: At, store: StoreConfig): void {
  const holds = store.format === 'json' ? store.pointers.refreshToken !== null : !TOKEN_ONLY.has(store.format);
  if (holds) return;
  report(resolver, at, {
    expected: 'a store that holds a refresh token',
    seen: store.format === 'json' ? 'no pointers.refreshToken' : `the format ${store.format}`,
    remedy: 'use the format token-response, or refresh it by a command',
  });
}

function authenticationOf(resolver: Resolver, at: At, raw: RawOauth): OauthConfig['clientAuthentication'] {
  const chosen = raw.clientAuthentication ?? (raw.clientSecret === undefined ? 'none' : 'basic');
  if ((chosen === 'none') !== (raw.clientSecret === undefined)) {
    report(resolver, [...at, 'clientAuthentication'], {
      expected: raw.clientSecret === undefined ? '"none" without "clientSecret"' : '"basic" or "post"',
      seen: JSON.stringify(chosen),
      remedy: 'leave it out, or correct "clientSecret"',
    });
  }
  return chosen;
}

function resolveParameters(
  resolver: Resolver,
  at: At,
  raw: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const resolved = Object.entries(raw).map(([name, value]): [string, string] => {
    if (OWN_PARAMETERS.has(name)) {
      report(resolver, [...at, name], {
        expected: 'a parameter that freshd does not set itself',
        seen: name,
        remedy: 'use the key that is made for it, or remove it',
      });
    }
    return [name, resolveText(resolver, [...at, name], value)];
  });
  return Object.fromEntries(resolved);
}

function checkedUrl(resolver: Resolver, at: At, address: string | null): string | null {
  if (address === null || address === '') return address;
  const url = URL.canParse(address) ? new URL(address) : null;
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url));
  if (url !== null && isPrivate && url.username === '' && url.password === '' && url.hash === '') return address;
  // The address is not repeated: a password may stand in it.
  report(resolver, at, {
    expected: 'an https:// address (http:// on loopback only), without user, password or fragment',
    seen: url === null ? 'no address' : `a ${url.protocol}// address${isPrivate ? ' with one of them' : ''}`,
    remedy: 'a refresh token must not travel in the clear: correct it',
  });
  return address;
}

function loopbackOnly(resolver: Resolver, at: At, address: string | null): string | null {
  if (address === null || (URL.canParse(address) && isLoopback(new URL(address)))) return address;
  report(resolver, at, {
    expected: 'an http:// address on loopback',
    seen: 'another one',
    remedy: 'freshd login listens on this machine only',
  });
  return address;
}

const TOKEN_ONLY: ReadonlySet<StoreConfig['format']> = new Set(['env', 'text', 'static']);

const OWN_PARAMETERS: ReadonlySet<string> = new Set([
  'grant_type',
  'refresh_token',
  'client_id',
  'client_secret',
  'scope',
  'code',
  'code_verifier',
  'device_code',
  'redirect_uri',
]);

const MS_PER_SECOND = 1_000;
