import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planReload } from '../../src/config/reload.ts';
import { loaded, MAIL, privateFolder } from './arrange.ts';

const text = (path: string): object => ({ store: { format: 'text', path }, refresh: MAIL.refresh });

test('a reload is planned by name: what comes, what changes and how much, what goes', async () => {
  const folder = privateFolder();
  const old = await loaded({ credentials: { a: text('a'), b: text('b'), c: text('c'), d: text('d') } }, { folder });
  const next = await loaded(
    {
      credentials: {
        b: text('b'),
        c: { ...text('c'), maxRetries: 1 },
        d: { ...text('d'), maxRetries: 1, tokenFile: false },
        e: text('e'),
      },
      maxConcurrentRefreshes: 2,
    },
    { folder },
  );
  expect(planReload(old, next)).toEqual({
    added: ['e'],
    changed: [
      { name: 'c', policyOnly: true },
      { name: 'd', policyOnly: false },
    ],
    removed: ['a'],
    chains: { added: [], changed: [], removed: [] },
    settings: ['maxConcurrentRefreshes'],
    refused: [],
  });
});

test('F9: another secret is another configuration of that credential, also where the file says the same', async () => {
  const folder = privateFolder();
  const secret = join(folder, 'secret');
  const refresh = {
    oauth: { tokenEndpoint: 'https://auth.example/token', clientId: 'x', clientSecret: '$' + '{file:secret}' },
  };
  const config = { credentials: { mail: { store: { format: 'token-response', path: 'mail.json' }, refresh } } };
  writeFileSync(secret, 'wrong', { mode: 0o600 });
  const old = await loaded(config, { folder });
  writeFileSync(secret, 'right', { mode: 0o600 });
  expect(planReload(old, await loaded(config, { folder })).changed).toEqual([{ name: 'mail', policyOnly: false }]);
});

test('a reload of the same file changes nothing', async () => {
  const folder = privateFolder();
  const config = { credentials: { a: text('a') }, alerts: { sinks: [{ type: 'desktop' }] } };
  const plan = planReload(await loaded(config, { folder }), await loaded(config, { folder }));
  const none = { added: [], changed: [], removed: [] };
  expect(plan).toEqual({ ...none, chains: none, settings: [], refused: [] });
});

test('what is held from start to stop can only be moved by a restart', async () => {
  const folder = privateFolder();
  const old = await loaded({ stateDirectory: 'one', socket: { path: 'a.sock' }, credentials: {} }, { folder });
  const next = await loaded({ stateDirectory: 'two', socket: { path: 'b.sock' }, credentials: {} }, { folder });
  expect(planReload(old, next).refused).toEqual([
    `stateDirectory: expected ${folder}/one, got ${folder}/two; restart freshd to move it`,
    `socket.path: expected ${folder}/a.sock, got ${folder}/b.sock; restart freshd to move it`,
  ]);
});
