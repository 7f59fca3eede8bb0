import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type AuthorizationServer, startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import type { RefreshOutcome } from '../../src/daemon/ports.ts';
import { failureOf, type RunningScript, runningScript, STORED } from '../adapters/refresh/running-script.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/refresh-demo.sh', import.meta.url));
const HAS_CURL = spawnSync('curl', ['--version']).status === 0;

describe('refresh-demo.sh', () => {
  let server: AuthorizationServer;
  let script: RunningScript;

  beforeEach(async (context) => {
    if (!HAS_CURL) context.skip('curl is not installed');
    server = await startAuthorizationServer();
    onTestFinished(() => server.close());
    script = against(server.tokenEndpoint);
  });

  function against(endpoint: string, limits: { timeoutMs?: number } = {}): RunningScript {
    return runningScript([SCRIPT], {
      input: 'token',
      environment: { FRESHD_DEMO_TOKEN_ENDPOINT: endpoint },
      ...limits,
    });
  }

  function send(refreshToken: string | null, by: RunningScript = script): Promise<RefreshOutcome> {
    return by.run({ tokens: { ...STORED, refreshToken } });
  }

  function rotated(outcome: RefreshOutcome): string {
    expect(outcome).toMatchObject({ kind: 'response', response: { token_type: 'Bearer', expires_in: 60 } });
    return outcome.kind === 'response' ? String(outcome.response.refresh_token) : '';
  }

  test('refreshes again and again, each time with the refresh token of the last answer', async () => {
    let refreshToken = server.seed().refresh_token;
    for (let i = 0; i < 3; i += 1) refreshToken = rotated(await send(refreshToken));
    expect(server.state().families).toEqual([{ revoked: false, rotations: 3 }]);
  });

  test('F7: reports reuse of an old refresh token as terminal: the server has revoked the family', async () => {
    const first = server.seed().refresh_token;
    const second = rotated(await send(first));
    const expected = { class: 'terminal', code: 'invalid_grant', doubt: false, unsent: false };
    expect(failureOf(await send(first))).toMatchObject(expected);
    expect(failureOf(await send(second))).toMatchObject(expected);
  });

  test('F1: a server that is down means that nothing was sent', async () => {
    await server.close();
    const failure = failureOf(await send('rt'));
    expect(failure).toMatchObject({ class: 'transient', code: 'exit_75', doubt: false, unsent: true });
    expect(failure.detail).toMatch(/refused|connect/i);
  });

  test('F1: a name that does not resolve means that nothing was sent', async () => {
    expect(failureOf(await send('rt', against('http://no-such-host.invalid/token')))).toMatchObject({ unsent: true });
  });

  test('F3, F78: an answer that is lost after the rotation leaves a doubt', async () => {
    server.drop();
    const failure = failureOf(await send(server.seed().refresh_token));
    expect(failure).toMatchObject({ class: 'transient', code: 'exit_74', doubt: true, unsent: false });
    expect(server.state().families).toEqual([{ revoked: false, rotations: 1 }]);
  });

  test('F2: an answer that never comes ends at the timeout, in doubt', async () => {
    server.delay({ milliseconds: 600_000, when: 'after_commit' });
    const slow = against(server.tokenEndpoint, { timeoutMs: 1_500 });
    const failure = failureOf(await send(server.seed().refresh_token, slow));
    expect(failure).toMatchObject({ class: 'transient', doubt: true, unsent: false });
    expect(server.state().requests.token).toBe(1);
  });

  test('F4: a failing server is transient, and in doubt', async () => {
    server.fail({ status: 503, body: '<html>Service Unavailable</html>' });
    expect(failureOf(await send('rt'))).toMatchObject({ class: 'transient', code: 'malformed_output', doubt: true });
    server.fail({ status: 500, body: { error: 'server_error' } });
    expect(failureOf(await send('rt'))).toMatchObject({ class: 'transient', code: 'server_error', doubt: true });
  });

  test('F85: a redirect is not followed', async () => {
    server.fail({ status: 307, headers: { location: `${server.url}/token` } });
    expect(failureOf(await send(server.seed().refresh_token))).toMatchObject({ class: 'transient' });
    expect(server.state().requests).toMatchObject({ token: 1, refreshed: 0 });
  });

  test('a refresh token with characters that forms and shells treat as special arrives whole', async () => {
    // The server knows no such token, and says so: what it could not read it would call invalid_request.
    expect(failureOf(await send("a&b=c+d%20e $HOME `id` 'f'*"))).toMatchObject({ code: 'invalid_grant' });
  });

  test('without a refresh token a person must log in; one that it cannot read is a matter of configuration', async () => {
    expect(failureOf(await send(null))).toMatchObject({ class: 'terminal', code: 'exit_77' });
    expect(failureOf(await send('with"quote'))).toMatchObject({ class: 'config', code: 'exit_78' });
    expect(server.state().requests.token).toBe(0);
  });

  test('A10: the refresh token stands in no argument list while curl runs', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc shows arguments of processes; not here');
    const { readdirSync, readFileSync } = await import('node:fs');
    server.delay({ milliseconds: 600_000 });
    const { refresh_token: token } = server.seed();
    const outcome = send(token);
    await expect.poll(() => server.state().waiting).toBe(1);
    const shown = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return [readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')];
        } catch {
          return [];
        }
      });
    expect(shown.some((text) => text.includes('refresh-demo.sh'))).toBe(true);
    expect(shown.some((text) => text.startsWith('curl') && text.includes('--data-urlencode'))).toBe(true);
    expect(shown.filter((text) => text.includes(token))).toEqual([]);
    script.refresh.cancel(1);
    await outcome;
  });
});
