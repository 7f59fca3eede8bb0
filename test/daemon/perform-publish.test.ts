import { expect, test } from 'vitest';
import type { Event } from '../../src/core/event.ts';
import { createPublications, type PublishEffect } from '../../src/daemon/perform-publish.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { deferred, type FakePublisher, fakePublisher, keptLog, managed, tokens, until } from './fakes.ts';

function build(publishers: readonly FakePublisher[], limitMs = 60_000) {
  const log = keptLog();
  const events: Event[] = [];
  const sentinels: unknown[] = [];
  const credential = managed('a', { publishers });
  const publications = createPublications({
    publishing: () => credential.parts,
    sentinel: { set: async (name, down) => void sentinels.push([name, down]) },
    report: (_name, event) => events.push(event),
    log,
    limitMs,
    handedOut: async () => undefined,
  });
  return { publications, events, log, sentinels };
}

const publish = (target: string, revision: number): PublishEffect => ({
  type: 'publish_token',
  target,
  revision,
  publication: {
    credential: 'a',
    generation: revision,
    token: {
      accessToken: `access-${revision}`,
      tokenType: 'Bearer',
      fingerprint: `fp-${revision}` as never,
      obtainedAt: null,
      notBefore: null,
      expiry: tokens().expiry,
    },
  },
});

test('each command that ran is answered with its revision', async () => {
  const file = fakePublisher('file');
  const { publications, events } = build([file]);
  publications.submit('a', publish('file', 1));
  await publications.idle();
  publications.submit('a', { type: 'withdraw_token', target: 'file', revision: 2 });
  await publications.idle();
  expect(file.told).toEqual(['access-1', null]);
  expect(events).toEqual([
    { type: 'publish_succeeded', target: 'file', revision: 1 },
    { type: 'publish_succeeded', target: 'file', revision: 2 },
  ]);
});

test('of the commands that wait for a slow target only the latest is performed, after the one under way', async () => {
  const slow = fakePublisher('slow');
  const first = deferred();
  slow.act = () => first.promise;
  const { publications, events } = build([slow]);
  for (let revision = 1; revision <= 4; revision += 1) publications.submit('a', publish('slow', revision));
  await until(() => slow.told.length === 1);
  first.resolve();
  await publications.idle();
  expect(slow.told).toEqual(['access-1', 'access-4']);
  expect(events.map((event) => 'revision' in event && event.revision)).toEqual([1, 4]);
});

test('F83: a hung target shows as failed, gets no second operation, and holds up nobody else', async () => {
  const hung = fakePublisher('hung');
  const file = fakePublisher('file');
  const end = deferred();
  hung.act = () => end.promise;
  const { publications, events } = build([hung, file], 20);
  publications.submit('a', publish('hung', 1));
  publications.submit('a', publish('file', 1));
  await publications.idle();
  expect(events).toMatchObject([
    { type: 'publish_succeeded', target: 'file', revision: 1 },
    { type: 'publish_failed', target: 'hung', revision: 1, code: 'timed_out' },
  ]);

  publications.submit('a', publish('hung', 2));
  expect(events.at(-1)).toMatchObject({ type: 'publish_failed', target: 'hung', revision: 2, code: 'timed_out' });
  expect(hung.told).toEqual(['access-1']);

  end.resolve();
  hung.act = async () => undefined;
  await until(() => {
    publications.submit('a', publish('hung', 3));
    return hung.told.length > 1;
  });
  await publications.idle();
  expect(events.at(-1)).toEqual({ type: 'publish_succeeded', target: 'hung', revision: 3 });
});

test('F83: where many hang, no other operation is begun until one of them ends', async () => {
  const hung = Array.from({ length: 20 }, (_, nth) => fakePublisher(`hung${nth}`, `/hung/${nth}`));
  const file = fakePublisher('file', '/file');
  const end = deferred();
  for (const target of hung) target.act = () => end.promise;
  const { publications, events } = build([...hung, file], 20);
  for (const { id } of hung) publications.submit('a', publish(id, 1));
  await publications.idle();
  publications.submit('a', publish('file', 1));
  await publications.idle();
  expect(file.told).toEqual([]);
  expect(events.at(-1)).toMatchObject({ type: 'publish_failed', target: 'file', code: 'timed_out' });

  end.resolve();
  await until(() => {
    publications.submit('a', publish('file', 2));
    return file.told.length > 0;
  });
  await publications.idle();
  expect(events.at(-1)).toEqual({ type: 'publish_succeeded', target: 'file', revision: 2 });
});

test('F83: thirty variables of one file that hangs keep one thread, and hold up nobody else', async () => {
  const hung = Array.from({ length: 30 }, (_, nth) => fakePublisher(`hung${nth}`, '/hung'));
  const file = fakePublisher('file', '/file');
  const hook = fakePublisher('hook');
  for (const target of hung) target.act = () => new Promise(() => undefined);
  const { publications, events } = build([...hung, file, hook], 20);
  for (const { id } of hung) publications.submit('a', publish(id, 1));
  await publications.idle();
  for (const { id } of [file, hook]) publications.submit('a', publish(id, 1));
  await publications.idle();
  expect(events.slice(-2).map(({ type }) => type)).toEqual(['publish_succeeded', 'publish_succeeded']);
});

test('F40: a refusal carries its code and its remedy; a bug is said to be one', async () => {
  const full = fakePublisher('full');
  full.act = async () => {
    throw new PortError('no space', { code: 'disk_full', remedy: 'free space' });
  };
  const buggy = fakePublisher('buggy');
  buggy.act = async () => {
    throw new Error('oops sk-secret-1234567');
  };
  const { publications, events, log } = build([full, buggy]);
  publications.submit('a', publish('full', 1));
  publications.submit('a', publish('buggy', 1));
  await publications.idle();
  expect(events).toMatchObject([
    { type: 'publish_failed', target: 'full', code: 'disk_full', remedy: 'free space' },
    { type: 'publish_failed', target: 'buggy', code: 'internal_error' },
  ]);
  expect(JSON.stringify([events, log.records])).not.toContain('sk-secret');
});

test('C4: the sentinel is told why, and what to do about it', async () => {
  const { publications, events, sentinels } = build([]);
  const down = { since: 1 as never, reason: 'expired', code: 'timeout' };
  publications.submit('a', { type: 'set_sentinel', revision: 1, down });
  await publications.idle();
  publications.submit('a', { type: 'set_sentinel', revision: 2, down: null });
  await publications.idle();
  expect(sentinels).toEqual([
    ['a', { ...down, remedy: 'freshd refresh a' }],
    ['a', null],
  ]);
  expect(events).toEqual([
    { type: 'publish_succeeded', target: 'sentinel', revision: 1 },
    { type: 'publish_succeeded', target: 'sentinel', revision: 2 },
  ]);
});

test('a target that the configuration no longer names is refused', async () => {
  const { publications, events } = build([]);
  publications.submit('a', publish('gone', 1));
  await publications.idle();
  expect(events).toMatchObject([{ type: 'publish_failed', target: 'gone', code: 'target_gone' }]);
});

test('a hook begins when the files and the sentinel asked for with it were tried, and takes the latest news', async () => {
  const file = fakePublisher('file');
  const end = deferred();
  file.act = () => end.promise;
  const hook = Object.assign(fakePublisher('hook'), { follows: ['a'] });
  const { publications, events } = build([hook, file]);
  publications.submit('a', publish('hook', 1));
  publications.submit('a', publish('file', 1));
  await until(() => file.told.length === 1);
  publications.submit('a', publish('file', 2));
  publications.submit('a', publish('hook', 2));
  expect(hook.told).toEqual([]);
  hook.act = async () => expect(file.told).toEqual(['access-1', 'access-2']);
  end.resolve();
  await publications.idle();
  expect(hook.told).toEqual(['access-2']);
  expect(events).toEqual([
    { type: 'publish_succeeded', target: 'file', revision: 1 },
    { type: 'publish_succeeded', target: 'file', revision: 2 },
    { type: 'publish_succeeded', target: 'hook', revision: 2 },
  ]);
});

test('F83: a hook waits for a hung file only until that is given up, and for one that is known to hang not at all', async () => {
  const hung = fakePublisher('hung');
  const end = deferred();
  hung.act = () => end.promise;
  const hook = Object.assign(fakePublisher('hook'), { follows: ['a'] });
  const { publications, events } = build([hung, hook], 20);
  for (const revision of [1, 2]) {
    publications.submit('a', publish('hung', revision));
    publications.submit('a', publish('hook', revision));
    await publications.idle();
  }
  expect(events).toMatchObject([
    { type: 'publish_failed', target: 'hung', revision: 1, code: 'timed_out' },
    { type: 'publish_succeeded', target: 'hook', revision: 1 },
    { type: 'publish_failed', target: 'hung', revision: 2, code: 'timed_out' },
    { type: 'publish_succeeded', target: 'hook', revision: 2 },
  ]);
  end.resolve();
});
