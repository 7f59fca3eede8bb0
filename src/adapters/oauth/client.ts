/**
 * One client at one authorization server: how it authenticates, where the endpoints are, and how requests get there.
 *
 * Rule: oauth4webapi makes the requests, exchange.ts carries them; what comes back is judged by whoever asked. Encrypted, or
 * to this machine; secrets stay in this closure.
 */
import { readFile } from 'node:fs/promises';
import * as oauth from 'oauth4webapi';
import { isLoopback } from '../loopback.ts';
import { errnoOf } from '../port-error.ts';
import { type ExchangeOptions, exchange } from './exchange.ts';
import type { Limit } from './limit.ts';
import { NoAnswer } from './no-answer.ts';
import type { Environment } from './proxy.ts';

export interface OauthClientOptions {
  /** Both null only where the endpoints that are needed are given. */
  readonly issuer: string | null;
  readonly tokenEndpoint: string | null;
  readonly authorizationEndpoint: string | null;
  readonly deviceAuthorizationEndpoint: string | null;
  readonly clientId: string;
  /** The secret itself; null for a public client. */
  readonly clientSecret: string | null;
  readonly clientAuthentication: 'basic' | 'post' | 'none';
  readonly body: 'form' | 'json';
  /** Absolute; certificates in PEM, trusted instead of the built-in ones. */
  readonly caFile: string | null;
  readonly connectTimeoutMs: number;
  /** Where the proxy variables are looked up. */
  readonly environment: Environment;
}

/** What the functions of oauth4webapi are given. */
export interface Connected {
  readonly server: oauth.AuthorizationServer;
  /** Whether the issuer in `server` is one; else it only fills the place. */
  readonly isIssuerKnown: boolean;
  readonly client: oauth.Client;
  readonly authentication: oauth.ClientAuth;
  readonly http: { readonly [oauth.customFetch]: CarryingFetch; readonly [oauth.allowInsecureRequests]: true };
}

type CarryingFetch = (
  url: string,
  options: oauth.CustomFetchOptions<'GET' | 'POST', URLSearchParams | undefined>,
) => Promise<Response>;

export interface OauthClient {
  /** Reads the CA file; finds the endpoints. @throws NoAnswer, never sent */
  connect(limits: readonly Limit[], needs: readonly EndpointName[]): Promise<Connected>;
  /** What was discovered may no longer be so. */
  forget(): void;
  /** @throws NoAnswer `ca_file_unreadable` */
  readCa(): Promise<string | null>;
}

export type EndpointName = 'token_endpoint' | 'authorization_endpoint' | 'device_authorization_endpoint';

export function createOauthClient(options: OauthClientOptions): OauthClient {
  let discovered: oauth.AuthorizationServer | null = null;

  async function readCa(): Promise<string | null> {
    if (options.caFile === null) return null;
    try {
      const text = await readFile(options.caFile, 'utf8');
      if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
      throw unreadable(options.caFile, 'none');
    } catch (error) {
      throw error instanceof NoAnswer ? error : unreadable(options.caFile, errnoOf(error) ?? 'an error');
    }
  }

  async function connect(limits: readonly Limit[], needs: readonly EndpointName[]): Promise<Connected> {
    const { environment, connectTimeoutMs } = options;
    const carrying = { environment, connectTimeoutMs, ca: await readCa(), limits };
    const given = withoutNulls({
      token_endpoint: options.tokenEndpoint,
      authorization_endpoint: options.authorizationEndpoint,
      device_authorization_endpoint: options.deviceAuthorizationEndpoint,
    });
    const isComplete = needs.every((need) => given[need] !== undefined);
    if (!isComplete && options.issuer !== null) discovered ??= await discover(new URL(options.issuer), carrying);
    // Nobody checks the issuer of a server that is only an endpoint, but the library wants one.
    const server = { issuer: options.issuer ?? given.token_endpoint ?? 'none', ...discovered, ...given };
    for (const need of needs) refuseUnlessPrivate(need, server[need]);
    return {
      server,
      isIssuerKnown: options.issuer !== null,
      client: { client_id: options.clientId },
      authentication: authenticationOf(options),
      http: httpOf((url, request) => carry(url, request, carrying, options.body)),
    };
  }

  return {
    connect,
    readCa,
    forget() {
      discovered = null;
    },
  };
}

/** oauth4webapi would refuse loopback without encryption; `refuseUnlessPrivate` has already looked. */
function httpOf(fetch: CarryingFetch): Connected['http'] {
  return { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: true };
}

async function carry(
  url: string,
  { method, headers, body }: Parameters<CarryingFetch>[1],
  carrying: ExchangeOptions,
  shape: 'form' | 'json',
): Promise<Response> {
  const isJson = shape === 'json' && body !== undefined;
  const type = isJson ? { 'content-type': 'application/json' } : {};
  const text = isJson ? JSON.stringify(Object.fromEntries(body)) : (body?.toString() ?? null);
  return await exchange(new URL(url), { method, headers: { ...headers, ...type }, body: text }, carrying);
}

function authenticationOf({ clientAuthentication, clientSecret }: OauthClientOptions): oauth.ClientAuth {
  if (clientSecret === null || clientAuthentication === 'none') return oauth.None();
  return clientAuthentication === 'basic'
    ? oauth.ClientSecretBasic(clientSecret)
    : oauth.ClientSecretPost(clientSecret);
}

/**
 * OpenID Connect Discovery, then RFC 8414: a server that has only the second may answer anything at the place of the first.
 * Kept until it is forgotten. Nothing secret is sent.
 */
async function discover(issuer: URL, carrying: ExchangeOptions): Promise<oauth.AuthorizationServer> {
  refuseUnlessPrivate('issuer', issuer.href);
  const http = httpOf((url, request) => carry(url, request, carrying, 'form'));
  const failures: NoAnswer[] = [];
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      const response = await oauth.discoveryRequest(issuer, { algorithm, ...http });
      return await oauth.processDiscoveryResponse(issuer, response);
    } catch (error) {
      if (error instanceof NoAnswer) throw new NoAnswer(error.message, { code: error.code, isSent: false });
      failures.push(discoveryFailure(error, issuer));
    }
  }
  // A document of another issuer says more than that there is none.
  throw failures.find(({ code }) => code === 'issuer_mismatch') ?? failures[0] ?? discoveryFailure(null, issuer);
}

function discoveryFailure(error: unknown, { host }: URL): NoAnswer {
  const isOther = error instanceof oauth.OperationProcessingError && error.code === oauth.JSON_ATTRIBUTE_COMPARISON;
  const seen = isOther ? 'one of another issuer' : 'something else';
  const remedy = isOther ? 'write "issuer" exactly as the document does' : 'give "tokenEndpoint" if it has none';
  return new NoAnswer(`expected a discovery document at ${host}, got ${seen}; ${remedy}`, {
    code: isOther ? 'issuer_mismatch' : 'discovery_failed',
    isSent: false,
  });
}

/** RFC 6749 §3.2: only over TLS. A document found by discovery must not lead elsewhere either. */
function refuseUnlessPrivate(name: string, address: string | undefined): void {
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url))) return;
  const seen = address === undefined ? 'none' : url === null ? 'no URL' : `a ${url.protocol}// address`;
  throw new NoAnswer(`${name}: expected https:// (http:// on loopback only), got ${seen}; configure it`, {
    code: address === undefined ? 'endpoint_unknown' : 'endpoint_not_private',
    isSent: false,
  });
}

function unreadable(path: string, seen: string): NoAnswer {
  return new NoAnswer(`expected certificates in PEM in ${path}, got ${seen}; correct "caFile"`, {
    code: 'ca_file_unreadable',
    isSent: false,
  });
}

function withoutNulls<K extends string>(values: Readonly<Record<K, string | null>>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Partial<Record<K, string>>;
}
