import { expect, test } from 'vitest';
import { createServiceManager, passedSocket } from '../../src/adapters/service-manager.ts';
import { PortError } from '../../src/daemon/ports.ts';
import { keptLog } from '../daemon/fakes.ts';

const PID = 4711;
const WATCHED = { WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(PID) };

function arrange(options: { environment?: Record<string, string>; isCheap?: boolean } = {}) {
  const { environment = {}, isCheap = true } = options;
  const log = keptLog();
  const sent: string[] = [];
  const trouble: { error: Error | null } = { error: null };
  const send = async (text: string) => {
    // The later ones are quicker: their order has to be kept all the same.
    await new Promise((resolve) => setImmediate(resolve));
    if (trouble.error !== null) throw trouble.error;
    sent.push(text);
  };
  const manager = createServiceManager({ environment, pid: PID, notify: { isCheap, send }, log });
  const settled = async () => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return sent.splice(0);
  };
  return { manager, log, settled, trouble };
}

test('speaks the words of systemd, in order, and repeats no status that stands already', async () => {
  const { manager, settled } = arrange();
  manager.tell({ kind: 'ready', status: 'a' });
  manager.tell({ kind: 'alive', status: 'a' });
  manager.tell({ kind: 'alive', status: 'b' });
  manager.tell({ kind: 'stalled', status: 'stands still' });
  manager.tell({ kind: 'stopping', withinMs: 70_000 });
  manager.tell({ kind: 'stopping', withinMs: null });
  expect(await settled()).toEqual([
    'READY=1\nSTATUS=a',
    'WATCHDOG=1',
    'WATCHDOG=1\nSTATUS=b',
    'STATUS=stands still',
    'STOPPING=1\nEXTEND_TIMEOUT_USEC=70000000',
    'STOPPING=1',
  ]);
});

test('a reload is told with its moment in the same message', async () => {
  const { manager, settled } = arrange();
  const before = process.hrtime.bigint() / 1_000n;
  manager.tell({ kind: 'reloading' });
  const after = process.hrtime.bigint() / 1_000n;
  const [, at = ''] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec((await settled())[0] ?? '') ?? [];
  expect(BigInt(at)).toBeGreaterThanOrEqual(before);
  expect(BigInt(at)).toBeLessThanOrEqual(after);
});

test('a manager that does not listen is said once, told the status anew, and harms nothing', async () => {
  const { manager, log, settled, trouble } = arrange();
  trouble.error = new PortError('no room', { code: 'notify_busy', remedy: 'wait' });
  manager.tell({ kind: 'ready', status: 'a' });
  manager.tell({ kind: 'alive', status: 'a' });
  await settled();
  expect(log.records).toEqual([{ level: 'warn', event: 'notify_busy', fields: { remedy: 'wait' } }]);
  trouble.error = null;
  manager.tell({ kind: 'alive', status: 'a' });
  expect(await settled()).toEqual(['WATCHDOG=1\nSTATUS=a']);
});

test.each([
  [{}, null],
  [{ WATCHDOG_USEC: '2000000' }, 2_000],
  [WATCHED, 2_000],
  [{ ...WATCHED, WATCHDOG_PID: '1' }, null],
  [{ WATCHDOG_USEC: '0' }, null],
  [{ WATCHDOG_USEC: 'soon' }, null],
])('of %j a watchdog of %s ms is understood', (environment, watchdogMs) => {
  expect(arrange({ environment }).manager.watchdogMs).toBe(watchdogMs);
});

test('where each word costs a process, only what must be said is, and a watchdog is refused', async () => {
  const { manager, settled } = arrange({ isCheap: false });
  manager.tell({ kind: 'ready', status: 'a' });
  manager.tell({ kind: 'alive', status: 'b' });
  manager.tell({ kind: 'stopping', withinMs: null });
  expect(await settled()).toEqual(['READY=1\nSTATUS=a', 'STOPPING=1']);
  expect(() => arrange({ environment: WATCHED, isCheap: false })).toThrow(/WatchdogSec: expected .*koffi/);
});

test('where nobody waits for news, nothing is told', () => {
  const manager = createServiceManager({ environment: WATCHED, pid: PID, notify: null, log: keptLog() });
  manager.tell({ kind: 'ready', status: 'a' });
  expect(manager.watchdogMs).toBeNull();
});

test.each([
  [{}, null],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '1' }, 3],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '1', LISTEN_FDNAMES: 'freshd.socket' }, 3],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '2', LISTEN_FDNAMES: 'control:freshd' }, 4],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' }, null],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '1', LISTEN_FDNAMES: 'a:freshd' }, 3],
  [{ LISTEN_PID: '1', LISTEN_FDS: '1' }, null],
  [{ LISTEN_FDS: '1' }, null],
  [{ LISTEN_PID: String(PID), LISTEN_FDS: '-1' }, null],
])('of %j the passed socket is descriptor %s', (environment, fd) => {
  expect(passedSocket(environment, PID)).toBe(fd);
});
