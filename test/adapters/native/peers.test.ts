import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadNative } from '../../../src/adapters/native/native.ts';
import { createPeers, knownIds, readerAbilities } from '../../../src/adapters/native/peers.ts';

const support = await loadNative({ platform: process.platform });

test('a connection tells of its other end as long as it is open, and of nobody afterwards', async (context) => {
  if (!support.isAvailable) return context.skip(support.why);
  const directory = mkdtempSync(join(tmpdir(), 'freshd-peers-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(join(directory, 'socket'));
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(join(directory, 'socket'));
  const [socket] = await accepted;

  const peers = createPeers(support.native);
  const reader = peers.readerOf(socket);
  expect(reader).toMatchObject({ uid: process.getuid?.(), pid: process.pid });
  expect(reader?.groups()).toContain(process.getgid?.());
  expect(reader?.executable()).toBe(realpathSync(process.execPath));
  client.destroy();
  socket.destroy();
  await once(socket, 'close');
  expect(reader?.executable()).toBeNull();
  expect(reader?.groups()).toEqual([]);
  expect(peers.readerOf(socket)).toBeNull();
});

test('what can be told of readers is found out, and without native calls it is nothing', async (context) => {
  const why = 'the optional package koffi is missing; install it';
  const none = await readerAbilities({ isAvailable: false, why });
  expect([none.whyNone, none.whyNoExecutables, none.knowsUser(0), none.knowsGroup(0)]).toEqual([
    why,
    why,
    false,
    false,
  ]);
  if (!support.isAvailable) return context.skip(support.why);
  const some = await readerAbilities(support);
  expect([some.whyNone, some.whyNoExecutables, some.knowsUser(0), some.knowsGroup(0)]).toEqual([
    null,
    null,
    true,
    true,
  ]);
});

test('F62: ids are told apart only where the kernel’s own table says so', () => {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-ids-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const table = join(directory, 'uid_map');
  const asked = (platform: NodeJS.Platform = 'linux') => [0, 1_000, 65_534].map(knownIds(table, platform));
  // Nothing is shown here: /proc is not mounted, or not the one that we know.
  expect(asked()).toEqual([false, false, false]);
  expect(asked('darwin')).toEqual([true, true, true]);
  // A kernel without these namespaces has everything but the table.
  writeFileSync(join(directory, 'status'), '');
  expect(asked()).toEqual([true, true, true]);
  for (const [text, known] of [
    ['         0          0 4294967295\n', [true, true, true]],
    ['         0       1000          1\n', [true, false, false]],
    ['         0     100000      70000\n', [true, true, false]],
    ['', [false, false, false]],
    ['what is this\n', [false, false, false]],
  ] as const) {
    writeFileSync(table, text);
    expect(asked()).toEqual(known);
  }
  rmSync(table);
  mkdirSync(table);
  expect(asked()).toEqual([false, false, false]);
});
