/**
 * Stands in for `adapters/oauth/exchange.ts`: the same stages, limits and failures, over the simulated network.
 *
 * Rule: nothing is sent before the connection stands, and from then on nobody here knows what the server did.
 */
import type { ExchangeOptions, OutgoingRequest } from '../../../src/adapters/oauth/exchange.ts';
import { timeLimit, within } from '../../../src/adapters/oauth/limit.ts';
import { NoAnswer } from '../../../src/adapters/oauth/no-answer.ts';
import type { Leave, SendResult } from '../network.ts';
import type { Realm } from '../realm.ts';

declare const realm: Realm;

export async function exchange(
  url: URL,
  { body }: OutgoingRequest,
  { connectTimeoutMs, limits }: ExchangeOptions,
): Promise<Response> {
  const connecting = [...limits, timeLimit(connectTimeoutMs, 'connect_timeout', 'no connection; nothing was sent')];
  const connection = endable<string>((done) => realm.network.connect(url.host, done));
  const result = await within(connecting, { isSent: false, end: connection.end }, () => connection.settled);
  if (result !== 'connected') throw new NoAnswer('no connection; nothing was sent', { code: result, isSent: false });
  const refreshToken = new URLSearchParams(body ?? '').get('refresh_token') ?? '';
  const sending = endable<SendResult>((done) => realm.network.send(url.host, refreshToken, done));
  const sent = await within(limits, { isSent: true, end: sending.end }, () => sending.settled);
  if ('fault' in sent) throw new NoAnswer('no whole answer', { code: sent.fault, isSent: true });
  const { status, headers, body: text } = sent.answer;
  return new Response(status === 204 ? null : text, { status, headers });
}

/** A callback's result as a promise that `end` makes settle. */
function endable<T>(start: (done: (result: T) => void) => Leave | null): {
  readonly settled: Promise<T>;
  readonly end: () => void;
} {
  let refuse: (error: Error) => void = () => undefined;
  let leave: Leave | null = null;
  const settled = new Promise<T>((resolve, reject) => {
    refuse = reject;
    leave = start(resolve);
  });
  return {
    settled,
    end: () => {
      leave?.();
      refuse(new Error('ended'));
    },
  };
}
