/**
 * The bytes that authorization servers answer with: right ones, and the wrong ones that were seen in the wild.
 *
 * Rule: each is what the daemon would get from `exchange`: status, headers, body. What happens to it on the way is the network's.
 */
import type { Random } from '../random.ts';
import type { Grant } from './grants.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = { 'content-type': 'application/json;charset=UTF-8' };
const HTML_TYPE = { 'content-type': 'text/html' };

type Members = Readonly<Record<string, unknown>>;

export function granted({ access, refresh }: Grant, change: Members = {}): Answer {
  const expiresIn = Math.max(1, Math.floor((access.endsAt - access.givenAt) / 1000));
  const members = {
    access_token: access.text,
    token_type: 'Bearer',
    expires_in: expiresIn,
    ...(refresh === null ? {} : { refresh_token: refresh.text }),
    ...change,
  };
  return { status: 200, headers: JSON_TYPE, body: JSON.stringify(members) };
}

/** A grant with something missing or strange; `undefined` leaves a member out. */
export function oddlyGranted(grant: Grant, random: Random): Answer {
  const life = Math.max(1, Math.floor((grant.access.endsAt - grant.access.givenAt) / 1000));
  const changes: readonly [Members, ...Members[]] = [
    { access_token: undefined },
    { expires_in: undefined },
    { expires_in: String(life) },
    { expires_in: 0 },
    { expires_in: -1 },
    { expires_in: 1e12 },
    { token_type: 'bearer' },
    { token_type: undefined, scope: 'a b c' },
    { expires_in: `${life}`, token_type: 'BEARER', extra: { nested: [1, 2, 3] } },
  ];
  return granted(grant, random.pick(changes));
}

export function refused(error: string, status = 400): Answer {
  return { status, headers: JSON_TYPE, body: JSON.stringify({ error, error_description: 'no' }) };
}

export function limited(retryAfter: string | null): Answer {
  const headers = retryAfter === null ? JSON_TYPE : { ...JSON_TYPE, 'retry-after': retryAfter };
  return { status: 429, headers, body: JSON.stringify({ error: 'temporarily_unavailable' }) };
}

/**
 * Neither grants nor refuses.
 * @param isCommitted what says that nothing was done (4xx) is then left out: no client could know better
 */
export function wrong(isCommitted: boolean, random: Random): Answer {
  const after: readonly [Answer, ...Answer[]] = [
    { status: 500, headers: JSON_TYPE, body: '{"message":"internal error"}' },
    { status: 502, headers: HTML_TYPE, body: '<html><h1>502 Bad Gateway</h1></html>' },
    { status: 503, headers: JSON_TYPE, body: '{"error":"temporarily_unavailable"}' },
    { status: 504, headers: HTML_TYPE, body: 'upstream request timeout' },
    { status: 200, headers: HTML_TYPE, body: '<!doctype html><title>Hotel Wi-Fi</title>' },
    { status: 200, headers: JSON_TYPE, body: '{"error":"server_error"}' },
    { status: 200, headers: JSON_TYPE, body: '{}' },
    { status: 200, headers: JSON_TYPE, body: '' },
    { status: 200, headers: JSON_TYPE, body: '{"access_token":' },
    { status: 204, headers: {}, body: '' },
    { status: 307, headers: { location: 'https://elsewhere.example/token' }, body: '' },
  ];
  const before: readonly Answer[] = [
    { status: 403, headers: HTML_TYPE, body: '<html>Access denied (WAF 1020)</html>' },
    { status: 404, headers: HTML_TYPE, body: 'not found' },
    { status: 407, headers: {}, body: 'proxy' },
    { status: 408, headers: {}, body: '' },
  ];
  return random.pick(isCommitted ? after : [...after, ...before]);
}

export const CONFIGURATION_ERRORS: readonly [string, ...string[]] = [
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'unsupported_grant_type',
];
