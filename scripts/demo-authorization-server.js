/**
 * A small OAuth 2.0 authorization server on loopback, for the demo and the tests. Plain Node, no packages, nothing on disk.
 *
 * It does one thing for real: the refresh grant (RFC 6749 §6) with refresh tokens that are used once. Each answer carries a
 * new refresh token; whoever sends an old one again revokes the whole family (RFC 9700 §4.14.2), unless it is the last one
 * used and `--reuse-grace` seconds have not passed: then the same successor is given once more. Grants begin with a seed, or
 * as they do elsewhere: with a code from a browser (PKCE) or a device code; whoever asks is let in.
 *
 *   node scripts/demo-authorization-server.js [--port 8765] [--life 60] [--reuse-grace 0]
 *
 *   POST /seed      a first token response: a new family, as after a login
 *   POST /token     grant_type=refresh_token&refresh_token=…   (application/x-www-form-urlencoded, or JSON)
 *   GET  /authorize, POST /device_authorization, GET /device?user_code=…   beginnings of a grant
 *   GET  /.well-known/openid-configuration   discovery; also at /.well-known/oauth-authorization-server
 *   GET  /resource  200 to `Authorization: Bearer` with an access token that is still good, 401 to all others
 *
 * For tests (JSON in, JSON out; also as functions of what `startAuthorizationServer` returns):
 *   GET  /admin/state                                  counts of requests, families and tokens; no secrets
 *   POST /admin/delay     {"milliseconds": 5000, "when": "before_commit" | "after_commit"}
 *                         every answer of /token waits; `after_commit` is the answer that comes too late; 0 ends it
 *   POST /admin/fail      {"status": 503, "body": "…" | {…}, "headers": {…}, "times": 1, "when": "before_commit"}
 *                         the next requests to /token; `after_commit` rotates before it fails
 *   POST /admin/drop      {"times": 1}                 rotate, then cut the connection without an answer
 *   POST /admin/revoke                                 every family: refreshing answers invalid_grant, resources 401
 *   POST /admin/revoke-access                          the access tokens only: a 401 before their time
 *
 * It listens on 127.0.0.1 only, prints one line when it does, and ends on SIGTERM or SIGINT.
 */
import { realpathSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createBrowserCodes, createClients, createDeviceCodes } from './demo-authorization-login.js';
import { badRequest, count, createFaults, createGrants } from './demo-authorization-state.js';

/**
 * Starts a server; see the head of this file. The types are in demo-authorization-server.d.ts.
 * @param {import('./demo-authorization-server.js').AuthorizationServerOptions} [options]
 */
export async function startAuthorizationServer(options = {}) {
  const { port = 0, lifeSeconds = 60, reuseGraceSeconds = 0, rotates = true, now = Date.now } = options;
  const { clients = null, deviceIntervalSeconds = 5, deviceLifeSeconds = 600, tls = null } = options;
  const { onDecided = () => undefined } = options;
  const grants = createGrants({ lifeSeconds, reuseGraceSeconds, rotates, now });
  const browserCodes = createBrowserCodes({ now });
  const deviceCodes = createDeviceCodes({ now, intervalSeconds: deviceIntervalSeconds });
  const faults = createFaults();
  const counts = {
    token: 0,
    refreshed: 0,
    refused: 0,
    failed: 0,
    dropped: 0,
    seeded: 0,
    resource: 0,
    rejected: 0,
    discovered: 0,
  };
  const known = { grants, browserCodes, deviceCodes, clients: createClients(clients) };
  const context = { ...known, faults, counts, deviceLifeSeconds, onDecided, url: '' };
  const listener = (request, response) => {
    handle(context, request, response).catch((error) => {
      if (!response.headersSent) sendJson(response, error.status ?? 500, { error: error.code ?? 'server_error' });
      else response.destroy();
    });
  };
  const server = tls === null ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const boundPort = server.address().port;
  const url = `${tls === null ? 'http' : 'https'}://127.0.0.1:${boundPort}`;
  context.url = url;
  return {
    url,
    port: boundPort,
    tokenEndpoint: `${url}/token`,
    seed: () => seed(context),
    lastTokenRequest: () => context.lastTokenRequest ?? null,
    decideDevice: (userCode, isApproved) => deviceCodes.decide(userCode, isApproved),
    userCodes: () => deviceCodes.userCodes(),
    state: () => stateOf(context),
    delay: (fault) => faults.setDelay(fault),
    fail: (fault) => faults.failNext(fault),
    drop: (times) => faults.dropNext(times),
    revoke: () => grants.revokeFamilies(),
    revokeAccess: () => grants.revokeAccessTokens(),
    async close() {
      faults.endWaiting();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function handle(context, request, response) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const route = ROUTES.get(`${request.method} ${pathname}`);
  if (route === undefined) return sendJson(response, 404, { error: 'not_found' });
  const body = await readBody(request);
  return route(context, { body, query: searchParams, headers: request.headers }, response);
}

const ROUTES = new Map([
  ['POST /seed', (context, _request, response) => sendJson(response, 200, seed(context))],
  ['POST /token', answerToken],
  ['GET /authorize', answerAuthorize],
  ['POST /device_authorization', answerDeviceAuthorization],
  ['GET /device', answerDevice],
  ['GET /.well-known/openid-configuration', answerDiscovery],
  ['GET /.well-known/oauth-authorization-server', answerDiscovery],
  ['GET /resource', answerResource],
  ['GET /admin/state', (context, _request, response) => sendJson(response, 200, stateOf(context))],
  ['POST /admin/delay', ({ faults }, { body }, response) => done(response, faults.setDelay(parseJson(body)))],
  ['POST /admin/fail', ({ faults }, { body }, response) => done(response, faults.failNext(parseJson(body)))],
  ['POST /admin/drop', ({ faults }, { body }, response) => done(response, faults.dropNext(parseJson(body).times))],
  ['POST /admin/revoke', ({ grants }, _request, response) => done(response, grants.revokeFamilies())],
  ['POST /admin/revoke-access', ({ grants }, _request, response) => done(response, grants.revokeAccessTokens())],
]);

function seed({ grants, counts }) {
  counts.seeded += 1;
  return grants.seed();
}

function stateOf({ grants, faults, counts }) {
  return { requests: { ...counts }, ...grants.describe(), ...faults.describe() };
}

async function answerToken(context, { body, headers }, response) {
  const { faults, counts } = context;
  counts.token += 1;
  context.lastTokenRequest = { headers, body };
  const failure = faults.takeFailure();
  if (failure !== null) counts.failed += 1;
  await faults.wait('before_commit');
  if (failure?.when === 'before_commit') return send(response, failure.status, failure.body, failure.headers);
  const answer = grant(context, headers, body);
  counts[answer.status === 200 ? 'refreshed' : 'refused'] += 1;
  context.onDecided({ body, response: answer.status === 200 ? answer.json : null });
  if (failure !== null) return send(response, failure.status, failure.body, failure.headers);
  await faults.wait('after_commit');
  if (answer.status === 200 && faults.takeDrop()) {
    counts.dropped += 1;
    response.destroy();
    return;
  }
  sendJson(response, answer.status, answer.json);
}

/** RFC 6749 §6, §4.1.3 and §5.2; RFC 8628 §3.4. */
function grant({ grants, browserCodes, deviceCodes, clients, counts }, headers, body) {
  const form = formIn(headers, body);
  if (form === null || !form.has('grant_type')) return refusal('invalid_request');
  const clientId = clients.authenticate(headers, form);
  if (clientId === null) return refusal('invalid_client');
  switch (form.get('grant_type')) {
    case 'refresh_token': {
      const refreshToken = form.get('refresh_token') ?? '';
      const tokens = refreshToken === '' ? undefined : grants.refresh(refreshToken);
      if (tokens === undefined) return refusal('invalid_request');
      return tokens === null ? refusal('invalid_grant') : { status: 200, json: tokens };
    }
    case 'authorization_code':
      return begun(browserCodes.redeem(form, clientId));
    case 'urn:ietf:params:oauth:grant-type:device_code':
      return begun(deviceCodes.redeem(form));
    default:
      return refusal('unsupported_grant_type');
  }

  function begun(error) {
    return error === null ? { status: 200, json: seed({ grants, counts }) } : refusal(error);
  }
}

/** @returns null for a body of another type */
function formIn(headers, body) {
  const contentType = (headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
  if (contentType === 'application/json') return new URLSearchParams(parseJson(body));
  return contentType === 'application/x-www-form-urlencoded' ? new URLSearchParams(body) : null;
}

function refusal(error) {
  const status = error === 'invalid_client' ? 401 : 400;
  return { status, json: { error, error_description: REFUSALS[error] ?? 'see RFC 8628' } };
}

const REFUSALS = {
  invalid_request: 'expected grant_type and refresh_token as a form',
  invalid_client: 'expected a known client, authenticated as it is registered',
  unsupported_grant_type: 'expected grant_type=refresh_token',
  invalid_grant: 'what was sent is unknown, was used before, or its family was revoked',
};

function answerAuthorize({ browserCodes }, { query }, response) {
  const location = browserCodes.authorize(query);
  if (location === null) return sendJson(response, 400, { error: 'invalid_request' });
  send(response, 302, '', { location });
}

function answerDeviceAuthorization({ deviceCodes, clients, url, deviceLifeSeconds }, { body, headers }, response) {
  const form = formIn(headers, body);
  const isKnown = form !== null && clients.authenticate(headers, form) !== null;
  if (!isKnown) return sendJson(response, 401, { error: 'invalid_client' });
  sendJson(response, 200, deviceCodes.begin(url, { lifeSeconds: deviceLifeSeconds }));
}

function answerDevice({ deviceCodes }, { query }, response) {
  const isFound = deviceCodes.decide(query.get('user_code') ?? '', true);
  sendJson(response, isFound ? 200 : 404, isFound ? { message: 'approved' } : { error: 'not_found' });
}

/** RFC 8414 §2. */
function answerDiscovery({ url, counts }, _request, response) {
  counts.discovered += 1;
  sendJson(response, 200, {
    issuer: url,
    token_endpoint: `${url}/token`,
    authorization_endpoint: `${url}/authorize`,
    device_authorization_endpoint: `${url}/device_authorization`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
  });
}

function answerResource({ grants, counts }, { headers }, response) {
  counts.resource += 1;
  const accessToken = /^bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (accessToken !== undefined && grants.isGood(accessToken)) {
    return sendJson(response, 200, { message: 'the access token is good' });
  }
  counts.rejected += 1;
  // RFC 6750 §3.1.
  const challenge = accessToken === undefined ? 'Bearer' : 'Bearer error="invalid_token"';
  return sendJson(response, 401, { error: 'invalid_token' }, { 'www-authenticate': challenge });
}

function parseJson(body) {
  if (body === '') return {};
  try {
    return JSON.parse(body);
  } catch (error) {
    throw Object.assign(badRequest('expected JSON'), { cause: error });
  }
}

async function readBody(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw Object.assign(new Error('the body is too long'), { status: 413 });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function done(response) {
  sendJson(response, 200, { ok: true });
}

function sendJson(response, status, json, headers = {}) {
  send(response, status, JSON.stringify(json), { 'content-type': 'application/json', ...headers });
}

function send(response, status, body, headers) {
  // RFC 6749 §5.1: nobody may keep an answer that holds tokens.
  response.writeHead(status, { 'cache-control': 'no-store', pragma: 'no-cache', ...headers });
  response.end(body);
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8765' },
      life: { type: 'string', default: '60' },
      'reuse-grace': { type: 'string', default: '0' },
    },
  });
  const server = await startAuthorizationServer({
    port: count(Number(values.port), '--port'),
    lifeSeconds: count(Number(values.life), '--life'),
    reuseGraceSeconds: count(Number(values['reuse-grace']), '--reuse-grace'),
  });
  process.stdout.write(`demo authorization server listening on ${server.url}\n`);
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close());
}

const BODY_BYTES_MAX = 65_536;

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    process.stderr.write(`demo authorization server: ${error.message}\n`);
    process.exitCode = 1;
  });
}
