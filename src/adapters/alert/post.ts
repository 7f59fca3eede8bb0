/**
 * One bounded HTTP POST to an address that is itself a secret.
 *
 * Rule: nothing of the address but its host, and nothing of the answer but its status, leaves this file.
 */
import { PortError } from '../../daemon/ports.ts';
import { isLoopback } from '../loopback.ts';

/** Where alerts of one sink go: checked once, so that a wrong address is found at the start and not at three in the morning. */
export interface Endpoint {
  readonly url: URL;
  /** `slack:hooks.slack.com`: what may be shown. */
  readonly name: string;
}

/**
 * Checks the address of a sink.
 * @param type of the sink, as in config.json
 * @throws PortError `sink_url_invalid`; the message does not repeat the address
 */
export function endpoint(type: string, address: string): Endpoint {
  const url = URL.canParse(address) ? new URL(address) : null;
  const allowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url));
  if (url === null || !allowed || url.username !== '' || url.password !== '') {
    const seen =
      url === null ? 'no URL' : `a ${url.protocol}// address${allowed ? ' with a user name or password' : ''}`;
    throw new PortError(
      `alerts.sinks: the url of a ${type} sink: expected https:// (http:// on loopback only), got ${seen}`,
      {
        code: 'sink_url_invalid',
        remedy: `copy the ${type} sink's address again, with https and without a user name`,
      },
    );
  }
  return { url, name: `${type}:${url.host}` };
}

/**
 * Posts JSON, or what the headers say instead, and waits for the status; redirects are not followed, the body of the answer is not read.
 * @param limits `timeoutMs` bounds the whole exchange: a network that swallows packets never answers
 * @throws PortError `sink_timed_out`, `sink_unreachable` or `sink_refused_<status>`
 */
export async function post(
  to: Endpoint,
  body: string,
  limits: { readonly timeoutMs: number; readonly headers?: Readonly<Record<string, string>> },
): Promise<void> {
  const response = await answerOf(to, body, limits);
  // An unread body would keep its connection; what it says may repeat ours. The status has decided, however the body ends.
  await response.body?.cancel().catch(() => undefined);
  if (response.ok) return;
  const moved = response.status >= 300 && response.status < 400;
  throw new PortError(
    `${to.name}: expected a status of 200 to 299, got ${response.status}${moved ? ', a redirect' : ''}`,
    {
      code: `sink_refused_${response.status}`,
      remedy: moved
        ? 'configure the address that it redirects to'
        : 'check the address of this sink; then: freshd check',
    },
  );
}

async function answerOf(to: Endpoint, body: string, limits: Parameters<typeof post>[2]): Promise<Response> {
  try {
    return await fetch(to.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...limits.headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(limits.timeoutMs),
    });
  } catch (error) {
    // No cause: the errors of fetch quote the address.
    if (error instanceof Error && error.name === 'TimeoutError') {
      throw new PortError(`${to.name}: expected an answer within ${limits.timeoutMs} ms, got none`, {
        code: 'sink_timed_out',
        remedy: 'check the network to that host; freshd tries again by itself',
      });
    }
    throw new PortError(`${to.name}: expected an answer, got ${networkCode(error)}`, {
      code: 'sink_unreachable',
      remedy: 'check the network and the name of that host; freshd tries again by itself',
    });
  }
}

/** undici hides what happened (`ECONNREFUSED`) one level down. */
function networkCode(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : 'a network error';
}
