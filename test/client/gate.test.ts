import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Client } from '../../src/index.ts';
import { until } from '../api/arrange.ts';
import { HOUR_MS, MINUTE_MS } from '../api/fake-daemon.ts';
import { type ArrangedClient, arrangeClient, connectTo, heard, LONG_MS, startResource } from './arrange.ts';

/** Takes the token away, for a reason that passes by itself. */
async function takeDown({ daemon }: ArrangedClient, client: Client): Promise<void> {
  const down = heard(client, 'phase', ({ status }) => status === 'expired' || status === 'none');
  daemon.load('job', 'jt-1', HOUR_MS);
  daemon.advance(50 * MINUTE_MS);
  daemon.fail('job');
  daemon.advance(HOUR_MS);
  await down;
}

async function restore({ daemon }: ArrangedClient, client: Client): Promise<void> {
  const up = heard(client, 'token', ({ credential }) => credential === 'job');
  daemon.load('job', 'jt-2', LONG_MS);
  daemon.dispatch('job', { type: 'refresh_requested', cause: 'operator', force: true });
  if (daemon.state('job')?.phase.kind === 'refreshing') daemon.succeed('job', 'jt-3', LONG_MS);
  await up;
}

async function arrangeJob() {
  const arranged = await arrangeClient();
  arranged.daemon.load('job', 'jt-0', LONG_MS);
  const client = await connectTo(arranged.socketPath);
  return { ...arranged, client };
}

describe('client.gate', () => {
  test('lets jobs through while there is a token, so many at a time, in their order', async () => {
    const { client } = await arrangeJob();
    const gate = client.gate('job', { concurrency: 3 });
    const began: number[] = [];
    let most = 0;
    const jobs = Array.from({ length: 20 }, (_, n) =>
      gate.run(async () => {
        began.push(n);
        most = Math.max(most, gate.running);
        await turn();
        return n * n;
      }),
    );
    expect(await Promise.all(jobs)).toEqual(Array.from({ length: 20 }, (_, n) => n * n));
    expect([began, most]).toEqual([Array.from({ length: 20 }, (_, n) => n), 3]);
    await gate.idle();
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });

  test('A9, B4: holds jobs while the credential is down and drains them when it is back: none lost, none twice', async () => {
    const arranged = await arrangeJob();
    const { client } = arranged;
    const gate = client.gate('job', { concurrency: 4 });
    const runs = new Map<number, number>();
    const jobs: Promise<void>[] = [];
    const add = (count: number) => {
      for (let n = 0; n < count; n += 1) {
        const id = jobs.length;
        jobs.push(gate.run(() => void runs.set(id, (runs.get(id) ?? 0) + 1)));
      }
    };
    for (let outage = 0; outage < 3; outage += 1) {
      add(50);
      await gate.idle();
      arranged.daemon.remove('job');
      await takeDown(arranged, client);
      expect(gate.isHeld).toBe(true);
      add(250);
      await turn();
      expect([gate.waiting, gate.running]).toEqual([250, 0]);
      arranged.daemon.remove('job');
      await restore(arranged, client);
      await gate.idle();
    }
    await Promise.all(jobs);
    expect([...runs.values()]).toEqual(Array.from({ length: 900 }, () => 1));
  });

  test('is bounded: one job too many is refused, and the others are kept', async () => {
    const arranged = await arrangeJob();
    arranged.daemon.load('none', null);
    await heard(arranged.client, 'phase');
    const gate = arranged.client.gate('none', { waitingMax: 2 });
    const waiting = [gate.run(() => 1), gate.run(() => 2)];
    await expect(gate.run(() => 3)).rejects.toMatchObject({ code: 'gate_full' });
    arranged.daemon.load('none', 'nt-1', LONG_MS);
    expect(await Promise.all(waiting)).toEqual([1, 2]);
  });

  test('E5: rejects at once while a person must act, if asked to; otherwise it holds until one has', async () => {
    const { daemon, client } = await arrangeJob();
    daemon.load('dead', 'dt-1', LONG_MS);
    await heard(client, 'token', ({ credential }) => credential === 'dead');
    const [hasty, patient] = [client.gate('dead', { failFast: true }), client.gate('dead')];
    expect(await hasty.run(() => 'ran')).toBe('ran');
    const down = heard(client, 'phase', ({ status }) => status === 'expired');
    daemon.advance(LONG_MS - 10 * MINUTE_MS);
    daemon.fail('dead', { code: 'invalid_grant', class: 'terminal' });
    daemon.advance(HOUR_MS);
    await down;
    await until(() => client.phase('dead')?.phase === 'reauthorization_required');
    await expect(hasty.run(() => 'ran')).rejects.toMatchObject({ code: 'reauthorization_required' });
    const held = patient.run(() => 'ran');
    await turn();
    expect(patient.waiting).toBe(1);
    daemon.remove('dead');
    daemon.load('dead', 'dt-2', LONG_MS);
    expect(await held).toBe('ran');
  });

  test('of a name that does not exist refuses with the nearest, and keeps what waits when a reload takes its own', async () => {
    const arranged = await arrangeJob();
    const { daemon, client } = arranged;
    await expect(client.gate('jbo').run(() => 'ran')).rejects.toMatchObject({
      code: 'unknown_credential',
      nearest: 'job',
    });
    daemon.remove('job');
    await takeDown(arranged, client);
    const gate = client.gate('job');
    const held = gate.run(() => 'ran');
    const removed = heard(client, 'phase', ({ phase }) => phase === 'removed');
    daemon.dispatch('job', { type: 'tick' });
    daemon.remove('job');
    await removed;
    await turn();
    expect([gate.waiting, client.phase('job')]).toEqual([1, null]);
    await restore(arranged, client);
    expect(await held).toBe('ran');
  });

  test('a job that fails is its own failure, and the next one runs', async () => {
    const { client } = await arrangeJob();
    const gate = client.gate('job', { concurrency: 1 });
    const thrown = gate.run(() => {
      throw new Error('a bug of the job');
    });
    const rejected = gate.run(() => Promise.reject(new Error('another')));
    expect(await Promise.allSettled([thrown, rejected, gate.run(() => 'ran')])).toMatchObject([
      { status: 'rejected', reason: { message: 'a bug of the job' } },
      { status: 'rejected', reason: { message: 'another' } },
      { status: 'fulfilled', value: 'ran' },
    ]);
  });

  test('B4: workers on a dying token lose nothing: their requests wait for the new one', async () => {
    const { daemon, client } = await arrangeJob();
    daemon.advance(MINUTE_MS);
    const resource = await startResource(['jt-9']);
    const gate = client.gate('job', { concurrency: 20 });
    const jobs = Array.from({ length: 60 }, (_, n) =>
      gate.run(async (fetch) => (await fetch(resource.url, { method: 'POST', body: `job ${n}` })).status),
    );
    await until(() => daemon.count('job', 'begin_attempt') === 1);
    await until(() => resource.seen.length >= 20);
    daemon.succeed('job', 'jt-9', LONG_MS);
    expect(new Set(await Promise.all(jobs))).toEqual(new Set([200]));
    const done = resource.seen.filter(({ status }) => status === 200).map(({ body }) => body);
    expect([done.length, new Set(done).size]).toEqual([60, 60]);
    expect(daemon.count('job', 'begin_attempt')).toBe(1);
  });

  test('rejects what waits when the client is closed', async () => {
    const { daemon, client } = await arrangeJob();
    daemon.load('none', null);
    await heard(client, 'phase');
    const held = client.gate('none').run(() => 'ran');
    client.close();
    await expect(held).rejects.toMatchObject({ code: 'closed' });
  });

  test.each([{ concurrency: 0 }, { waitingMax: Number.NaN }])(
    'refuses limits that make no sense: %j',
    async (options) => {
      const { client } = await arrangeJob();
      expect(() => client.gate('job', options)).toThrow(RangeError);
    },
  );
});
