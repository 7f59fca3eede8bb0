/** How often a device asks, on a clock that only its own pauses move. */
import { expect, test } from 'vitest';
import { loginByDevice } from '../../../src/adapters/login/device.ts';
import { createOauthClient } from '../../../src/adapters/oauth/client.ts';
import { authorizationServer } from '../refresh/oauth-arrange.ts';

test('the server says how often it is asked, and slow_down adds five seconds for good (RFC 8628 §3.5)', async () => {
  const server = await authorizationServer({ deviceIntervalSeconds: 0.5 });
  const answers = ['authorization_pending', 'slow_down', 'authorization_pending', 'slow_down', 'authorization_pending'];
  const { pauses, said } = await asked(server, (nth) => {
    const error = answers[nth];
    if (error !== undefined) server.fail({ status: 400, body: { error } });
    else server.decideDevice(server.userCodes()[0] ?? '', true);
  });
  expect(pauses).toEqual([500, 500, 5_500, 5_500, 10_500, 10_500]);
  expect(said).not.toContain('asked again');
});

test('a server that gives no answer is asked less and less often, but once a minute, and that is said once', async () => {
  const server = await authorizationServer({ deviceIntervalSeconds: 10 });
  const { pauses, said } = await asked(server, (nth) => {
    if (nth < 5) server.fail({ status: 503, body: '<html>' });
    else server.decideDevice(server.userCodes()[0] ?? '', true);
  });
  expect(pauses).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  expect(said.match(/asked again/g)).toHaveLength(1);
});

/** Logs in; `before` is called before each request to the token endpoint. */
async function asked(server: Awaited<ReturnType<typeof authorizationServer>>, before: (nth: number) => void) {
  const pauses: number[] = [];
  let said = '';
  let now = 0;
  const client = createOauthClient({
    issuer: server.url,
    tokenEndpoint: null,
    authorizationEndpoint: null,
    deviceAuthorizationEndpoint: null,
    clientId: 'mail',
    clientSecret: null,
    clientAuthentication: 'none',
    body: 'form',
    caFile: null,
    connectTimeoutMs: 10_000,
    environment: {},
  });
  await loginByDevice({
    client,
    scope: null,
    loginParameters: {},
    parameters: {},
    timeoutMs: 20_000,
    show: (text) => {
      said += text;
    },
    now: () => now,
    pause: async (durationMs) => {
      before(pauses.length);
      pauses.push(durationMs);
      now += durationMs;
    },
  });
  return { pauses, said };
}
