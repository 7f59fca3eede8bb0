/**
 * Logging in with a browser on this machine: authorization code with PKCE, answered on loopback.
 *
 * Rule: listens on loopback only, for one answer that carries our own random state; every other request changes nothing.
 * @see RFC 8252 §7.3, RFC 7636
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oauth from 'oauth4webapi';
import type { TokenResponse } from '../../core/token.ts';
import { PortError } from '../../daemon/ports.ts';
import { bareHost, portOf } from '../oauth/proxy.ts';
import { errnoOf } from '../port-error.ts';
import {
  ask,
  beginningParameters,
  knownCode,
  type LoginOptions,
  readReply,
  redeemingOptions,
  refused,
} from './begin.ts';

export interface BrowserOptions extends LoginOptions {
  /** As registered, on loopback; null: a free port, as RFC 8252 §7.3 wants servers to allow. */
  readonly redirectUri: string | null;
  /** How long a person may take. */
  readonly patienceMs: number;
}

const NEEDS = ['token_endpoint', 'authorization_endpoint'] as const;

/** @throws PortError `login_refused`, `login_expired`, `login_unreachable`, `login_misconfigured`, `redirect_uri_busy` */
export async function loginByBrowser(options: BrowserOptions): Promise<TokenResponse> {
  const listening = await listen(options.redirectUri);
  try {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const challenge = await oauth.calculatePKCECodeChallenge(verifier);
    const callback = await ask(options, NEEDS, async ({ server, client, isIssuerKnown }) => {
      const address = new URL(server.authorization_endpoint ?? '');
      const parameters = {
        ...beginningParameters(options),
        response_type: 'code',
        client_id: client.client_id,
        redirect_uri: listening.redirectUri,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        state,
      };
      for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
      options.show(`open in a browser on this machine:\n  ${address.href}\nwaiting …\n`);
      return { server, client, isIssuerKnown, answer: callbackOf(listening.server, state, options.patienceMs) };
    });
    const parameters = accepted(callback, await callback.answer, state);
    return await redeem(options, { parameters, redirectUri: listening.redirectUri, verifier });
  } finally {
    listening.server.close();
    listening.server.closeAllConnections();
  }
}

interface Answered {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly isIssuerKnown: boolean;
}

/** Checks state and, where the configuration names it, issuer (RFC 9207). */
function accepted({ server, client, isIssuerKnown }: Answered, callback: URL, state: string): URLSearchParams {
  const { searchParams } = callback;
  // Of endpoints alone nobody knows whose they are; with one server there is also none to mix it up with.
  if (!isIssuerKnown) searchParams.delete('iss');
  const issuer = searchParams.get('iss');
  const isOther = issuer === null ? mustNameItself(server) : issuer !== server.issuer;
  if (isOther && isIssuerKnown) throw otherIssuer();
  try {
    return oauth.validateAuthResponse(server, client, callback, state);
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) throw refused(knownCode(error.error));
    if (error instanceof oauth.OperationProcessingError) throw refused('unrecognized_error');
    throw error;
  }
}

const mustNameItself = (server: oauth.AuthorizationServer): boolean =>
  server.authorization_response_iss_parameter_supported === true;

function otherIssuer(): PortError {
  const remedy = 'see whether "issuer" is the one at which you logged in, then: freshd login again';
  return new PortError(`expected an answer of the configured issuer, got one of another server (RFC 9207); ${remedy}`, {
    code: 'login_refused',
    remedy,
  });
}

async function redeem(
  options: BrowserOptions,
  got: { readonly parameters: URLSearchParams; readonly redirectUri: string; readonly verifier: string },
): Promise<TokenResponse> {
  return await ask(options, NEEDS, async (via) => {
    const { server, client, authentication } = via;
    const more = redeemingOptions(options, via);
    const reply = await readReply(
      await oauth.authorizationCodeGrantRequest(
        server,
        client,
        authentication,
        got.parameters,
        got.redirectUri,
        got.verifier,
        more,
      ),
    );
    if (reply.kind === 'tokens') return reply.response;
    throw refused(reply.code, reply.status);
  });
}

/** Resolves with the first request that bears our state: whoever else finds this port can neither end nor steer the login. */
async function callbackOf(server: Server, state: string, patienceMs: number): Promise<URL> {
  const over = AbortSignal.timeout(patienceMs);
  return await new Promise((resolve, reject) => {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const isOurs = url.searchParams.getAll('state').join() === state;
      response.writeHead(isOurs ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      response.end(isOurs ? 'freshd has the answer; see your terminal.\n' : 'not the answer to this login\n');
      if (isOurs) response.once('close', () => resolve(url));
    });
    const remedy = 'freshd login again';
    const message = `no answer came from a browser in time; ${remedy}`;
    over.addEventListener('abort', () => reject(new PortError(message, { code: 'login_expired', remedy })));
  });
}

async function listen(redirectUri: string | null): Promise<{ readonly server: Server; readonly redirectUri: string }> {
  const wanted = redirectUri === null ? null : new URL(redirectUri);
  const server = createServer({ requestTimeout: REQUEST_MS_MAX });
  try {
    server.listen(wanted === null ? 0 : portOf(wanted), wanted === null ? '127.0.0.1' : bareHost(wanted.hostname));
    await once(server, 'listening');
  } catch (error) {
    const remedy = 'end what listens there, or register and configure another "redirectUri"';
    throw new PortError(`could not listen at ${wanted?.host ?? '127.0.0.1'} (${errnoOf(error)}); ${remedy}`, {
      code: 'redirect_uri_busy',
      remedy,
    });
  }
  const { port } = server.address() as AddressInfo;
  return { server, redirectUri: redirectUri ?? `http://127.0.0.1:${port}/callback` };
}

// A browser on the same machine sends its request at once.
const REQUEST_MS_MAX = 10_000;
