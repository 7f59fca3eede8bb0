/** A real daemon whose state and store lie on real disks that are full or turn read-only. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { configure, demo, eventually, is, refreshed, seed } from './arrange.ts';
import { journalEntry, type Ledger, startLedger } from './ledger.ts';
import { createMounts, fill, type Mounts, mountFailing, noFuse, noMounts } from './mounts.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

interface Scene {
  readonly workshop: Workshop;
  readonly ledger: Ledger;
  readonly mounts: Mounts;
  storedRefreshToken(): unknown;
}

/** A login that has expired, in `disk`, a file system of its own; the state lies there too, or elsewhere. */
async function arrange(stateDirectory: string, mounting = TMPFS): Promise<Scene> {
  const ledger = await startLedger({ lifeSeconds: 60 });
  onTestFinished(() => ledger.server.close());
  const workshop = createWorkshop();
  const { tokenEndpoint } = ledger.server;
  const store = { format: 'token-response', path: 'disk/demo.json' };
  const refresh = { oauth: { tokenEndpoint, clientId: 'demo' } };
  configure(workshop, { demo: demo(ledger.server, { store, refresh }) }, {}, { stateDirectory });
  seed(workshop, ledger.server, 3_600);
  const mounts = await createMounts(workshop, `mkdir disk; ${mounting}; cp -p demo.json disk`);
  const storedRefreshToken = () => JSON.parse(readFileSync(mounts.path('disk/demo.json'), 'utf8')).refresh_token;
  return { workshop, ledger, mounts, storedRefreshToken };
}

const TMPFS = 'mount -t tmpfs -o size=1m,mode=700 none disk';

test('F16 F39: a disk that is full when the answer comes holds it in the journal, from where the next start stores it', async (ctx) => {
  if (noMounts !== null) return ctx.skip(noMounts);
  const { workshop, ledger, mounts, storedRefreshToken } = await arrange('disk/state');
  const before = storedRefreshToken();
  const journal = () => journalEntry(mounts.path('disk/state'))?.response?.refresh_token;
  const filled: boolean[] = [];
  ledger.onDecided(() => filled.push(mounts.run(fill('disk')) === ''));

  const daemon = await mounts.start().ready();
  expect(await daemon.until(is('persist_failed'))).toMatchObject({ code: 'disk_full' });
  expect(filled).toEqual([true]);
  expect(await workshop.get('/v1/tokens/demo')).toMatchObject({ status: 200, body: { durable: false } });
  expect([journal(), storedRefreshToken()]).toEqual([ledger.current(), before]);
  expect(await daemon.end('SIGKILL')).toBe('SIGKILL');

  mounts.run('rm disk/fill');
  await mounts.start().ready();
  await eventually(() => journal() === undefined);
  expect(storedRefreshToken()).toBe(ledger.current());
  expect((await workshop.get('/v1/tokens/demo')).body).toMatchObject({ durable: true });
  expect(ledger.server.state().requests.token).toBe(1);
});

test('F39: where there is no room for a journal nothing is sent, until there is', async (ctx) => {
  if (noMounts !== null) return ctx.skip(noMounts);
  const { ledger, mounts } = await arrange('disk/state');
  // What a start needs is there; what an attempt needs is not.
  mounts.run(`mkdir -m 700 -p disk/state/journal disk/state/credentials; ${fill('disk')}; truncate -s -40K disk/fill`);
  const daemon = await mounts.start().ready();
  expect(await daemon.until(is('refresh_failed'))).toMatchObject({ code: 'journal_failed' });
  expect(ledger.server.state().requests.token).toBe(0);
  mounts.run('rm disk/fill');
  await daemon.until(refreshed);
  expect(ledger.server.state().requests.token).toBe(1);
});

const TROUBLES = [
  {
    trouble: 'turns read-only',
    mounting: TMPFS,
    begin: 'mount -o remount,ro disk',
    end: 'mount -o remount,rw disk',
    code: 'read_only_filesystem',
  },
  {
    trouble: 'has used up its quota',
    mounting: mountFailing('disk', 'write', constants.errno.EDQUOT),
    begin: ': > failing',
    end: 'rm failing',
    code: 'quota_exceeded',
  },
  {
    trouble: 'lies on a device that fails',
    mounting: mountFailing('disk', 'fsync', constants.errno.EIO),
    begin: ': > failing',
    end: 'rm failing',
    code: 'io_error',
  },
];

test.for(TROUBLES)(
  'F41: a store that $trouble shows as that, its token is served as not durable, and all is stored when it can be',
  async ({ mounting, begin, end, code }, ctx) => {
    const reason = mounting === TMPFS ? noMounts : noFuse;
    if (reason !== null) return ctx.skip(reason);
    const { workshop, ledger, mounts, storedRefreshToken } = await arrange('state', mounting);
    mounts.run(begin);
    const daemon = await mounts.start().ready();
    expect(await daemon.until(is('persist_failed'))).toMatchObject({ code });
    expect((await workshop.get('/v1/tokens/demo')).body).toMatchObject({ durable: false, refreshable: true });
    await eventually(() => workshop.env().DEMO_TOKEN !== undefined);
    mounts.run(end);
    await daemon.until(is('persist_restored'));
    expect(storedRefreshToken()).toBe(ledger.current());
    expect(ledger.server.state().requests.token).toBe(1);
  },
);
