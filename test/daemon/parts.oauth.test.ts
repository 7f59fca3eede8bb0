import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.ts';
import type { Fingerprint } from '../../src/core/token.ts';
import { grantOf } from '../../src/core/token-response.ts';
import { buildCredential, createSite } from '../../src/daemon/parts.ts';
import { runRefresh } from '../../src/daemon/run-refresh.ts';
import { authorizationServer } from '../adapters/refresh/oauth-arrange.ts';
import { loaded, privateFolder } from '../config/arrange.ts';

const fingerprint = (secret: string) => createHmac('sha256', 'k').update(secret).digest('base64url') as Fingerprint;

/** A credential as the daemon builds it from its configuration. */
async function built(oauth: object, rest: object = {}) {
  const folder = privateFolder();
  const store = { format: 'token-response', path: 'mail.json' };
  const credentials = { mail: { store, refresh: { oauth: { clientId: 'mail', ...oauth } }, ...rest } };
  const config = await loaded({ stateDirectory: 'state', credentials }, { folder });
  const log = { write: () => undefined };
  const environment = {};
  const spoolDirectory = join(folder, 'spool');
  const site = createSite({
    config,
    environment,
    platform: 'linux',
    fingerprint,
    clock: systemClock,
    log,
    spoolDirectory,
  });
  const [credential] = config.credentials;
  if (credential === undefined) throw new Error('expected a credential');
  const managed = buildCredential(credential, site);
  const attempt = async () => {
    const reading = await managed.parts.store.read();
    const tokens = reading.kind === 'tokens' ? reading.tokens : null;
    const run = {
      credential: managed,
      attempt: 1,
      reason: 'due',
      runId: 'r',
      found: tokens === null ? null : grantOf(tokens, fingerprint),
      tokens,
      onStarted: () => undefined,
      unlock: async () => undefined,
      lockAgain: async () => undefined,
    } as const;
    return await runRefresh(run, { clock: systemClock, fingerprint, log });
  };
  return { managed, attempt, storePath: join(folder, 'mail.json') };
}

test('F15: refresh.oauth sends the stored refresh token, and keeps it where the answer has none', async () => {
  const server = await authorizationServer({ rotates: false });
  const { managed, attempt, storePath } = await built({ tokenEndpoint: server.tokenEndpoint });
  const { refresh_token } = server.seed();
  writeFileSync(storePath, JSON.stringify({ refresh_token }), { mode: 0o600 });
  const event = await attempt();
  expect(event).toMatchObject({
    type: 'refresh_succeeded',
    answer: {
      grant: { fingerprint: fingerprint(refresh_token), hasRefreshToken: true, token: { tokenType: 'Bearer' } },
    },
  });
  expect(managed.policy.method).toBe('oauth');
});

test('a known reuse grace halves the time for an answer, so that a repetition still arrives inside', async () => {
  const server = await authorizationServer();
  server.delay({ milliseconds: 60_000 });
  const { attempt, storePath } = await built({ tokenEndpoint: server.tokenEndpoint }, { reuseGraceSeconds: 0.5 });
  writeFileSync(storePath, JSON.stringify(server.seed()), { mode: 0o600 });
  expect(await attempt()).toMatchObject({
    type: 'refresh_failed',
    failure: { code: 'timeout', doubt: true, detail: 'expected an answer within 250 ms, got none' },
  });
});

test('the remedy is freshd login where that can be tried, else the store', async () => {
  const tokenEndpoint = 'https://login.example/token';
  const deviceAuthorizationEndpoint = 'https://login.example/device';
  expect((await built({ tokenEndpoint, deviceAuthorizationEndpoint })).managed.parts.remedy).toBe('freshd login mail');
  expect((await built({ tokenEndpoint })).managed.parts.remedy).toContain('log in again, so that ');
});
