import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { loadNative } from '../../../src/adapters/native/native.ts';
import { createNotifySocket } from '../../../src/adapters/notify-socket.ts';
import type { NativePort, NativeSupport } from '../../../src/daemon/system-ports.ts';
import { bundleProgram } from '../child-program.ts';

const support = await loadNative({ platform: process.platform });
const withoutKoffi: NativeSupport = await loadNative({
  platform: 'linux',
  importKoffi: async () => {
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  },
});

function linuxNative(context: TestContext): NativePort {
  if (process.platform !== 'linux') return context.skip('reads what Linux says of a peer');
  if (!support.isAvailable) return context.skip(support.why);
  return support.native;
}

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-native-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** Runs python, which has the datagrams and the bare sockets that Node lacks. */
async function python(
  context: TestContext,
  program: string,
  ...args: readonly string[]
): Promise<AsyncIterator<string>> {
  const tried = spawnSync('python3', ['-c', '']);
  if (tried.error !== undefined) return context.skip(`python3 cannot be run: ${tried.error.message}`);
  const child = spawn('python3', ['-c', program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
a = sys.argv[1]
s.bind("\\0" + a[1:] if a[0] == "@" else a)
print("bound", flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`;

const CONNECTOR = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print("connected", os.getpid(), flush=True)
child = os.fork() if len(sys.argv) > 2 else 1
if child == 0: print("child", os.getpid(), flush=True); sys.stdin.readline()
elif len(sys.argv) > 2: os._exit(0)
else: sys.stdin.readline()
`;

/** Accepts a connection, lets its maker end and its pid go to another program, and says whom it then sees. */
const REUSED_PID = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createLinuxCalls } from './adapters/native/linux.ts';

const [koffi, directory, connector] = process.argv.slice(2);
const native = createLinuxCalls((await import(koffi)).default);
const server = createServer().listen(directory + '/reused');
await once(server, 'listening');
const maker = spawn('python3', ['-c', connector, directory + '/reused', 'leave it to a child'], { stdio: ['pipe', 'ignore', 'inherit'] });
const [[socket]] = await Promise.all([once(server, 'connection'), once(maker, 'exit')]);
let other;
for (let tries = 0; tries < 50 && other?.pid !== maker.pid; tries++) {
  other?.kill('SIGKILL');
  writeFileSync('/proc/sys/kernel/ns_last_pid', String(maker.pid - 1));
  other = spawn('sleep', ['60']);
  await once(other, 'spawn');
}
const fd = socket._handle.fd;
const isReused = other.pid === maker.pid && readlinkSync('/proc/' + maker.pid + '/exe').endsWith('sleep');
console.log(JSON.stringify({ isReused, isPeersPid: native.peerOf(fd).pid === maker.pid, executable: native.peerExecutable(fd) }));
process.exit();
`;

/** Listens at a path. @returns the descriptor of the first connection, once there is one */
async function accepting(path: string): Promise<() => Promise<number>> {
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const first = once(server, 'connection').then(([socket]) => {
    onTestFinished(() => void socket.destroy());
    return socket._handle.fd;
  });
  return () => first;
}

describe('news for the service manager', () => {
  test.for(['a path', 'an abstract name'])('reaches a socket at %s, whole and without a process', async (kind, ctx) => {
    const native = linuxNative(ctx);
    const address = kind === 'a path' ? join(directory, 'notify') : `@freshd-test-${process.pid}`;
    const lines = await python(ctx, RECEIVER, address);
    expect((await lines.next()).value).toBe('bound');
    const notify = createNotifySocket({ address, support: { isAvailable: true, native } });
    expect(notify.isCheap).toBe(true);
    await notify.send('READY=1\nSTATUS=next refresh in 41 min\n');
    expect((await lines.next()).value).toBe("'READY=1\\nSTATUS=next refresh in 41 min\\n'");
  });

  test('that nobody takes is an error which names the address, and no wait', async (ctx) => {
    const native = linuxNative(ctx);
    const at = (address: string) => () => native.sendDatagram(address, 'READY=1');
    expect(at(join(directory, 'none'))).toThrow(/none: ENOENT/);
    expect(at('vsock:2:1')).toThrow(/vsock:2:1 is no address of a Unix socket/);
    expect(at(`/${'a'.repeat(120)}`)).toThrow(/is no address/);
    const address = join(directory, 'full');
    const receiver =
      "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True); sys.stdin.readline()";
    await (await python(ctx, receiver, address)).next();
    const fill = () => {
      for (let sent = 0; sent < 100_000; sent++) native.sendDatagram(address, 'WATCHDOG=1');
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'notify_busy' }));
  });

  test('goes through systemd-notify where koffi is missing, and says what would be needed', async (ctx) => {
    const address = join(directory, 'notify');
    const lines = await python(ctx, RECEIVER, address);
    expect((await lines.next()).value).toBe('bound');
    const notify = createNotifySocket({ address, support: withoutKoffi });
    expect(notify.isCheap).toBe(false);
    const tried = spawnSync('systemd-notify', ['--version']);
    if (tried.error !== undefined) return ctx.skip(`systemd-notify cannot be run: ${tried.error.message}`);
    await notify.send('READY=1\nSTATUS=up\n');
    expect((await lines.next()).value).toMatch(/^'READY=1\\nSTATUS=up'$/);
    const programless = createNotifySocket({ address, support: withoutKoffi, programs: ['/nonexistent/notify'] });
    await expect(programless.send('READY=1')).rejects.toMatchObject({
      code: 'notify_failed',
      remedy: 'the optional package koffi is missing (ERR_MODULE_NOT_FOUND); install it: npm install koffi',
    });
  });
});

describe('the peer of a connection', () => {
  test('is named by uid, gid, pid and program', async (ctx) => {
    const native = linuxNative(ctx);
    const path = join(directory, 'socket');
    const next = await accepting(path);
    const lines = await python(ctx, CONNECTOR, path);
    const fd = await next();
    const pid = Number(String((await lines.next()).value).split(' ')[1]);
    expect(native.peerOf(fd)).toEqual({ uid: process.getuid?.(), gid: process.getgid?.(), pid });
    expect(native.peerExecutable(fd)).toBe(realpathSync(`/proc/${pid}/exe`));
  });

  test('F62: has no program any more once it has ended, though its child keeps the connection and its pid may be reused', async (ctx) => {
    const native = linuxNative(ctx);
    const path = join(directory, 'socket');
    const next = await accepting(path);
    const lines = await python(ctx, CONNECTOR, path, 'leave it to a child');
    const fd = await next();
    const pid = Number(String((await lines.next()).value).split(' ')[1]);
    const child = children.at(-1);
    if (child?.exitCode === null) await once(child, 'exit');
    expect(native.peerOf(fd)).toMatchObject({ pid });
    expect(native.peerExecutable(fd)).toBeNull();
  });

  test('F62: is not the process that has got its pid since', async (ctx) => {
    linuxNative(ctx);
    const program = await bundleProgram(directory, REUSED_PID);
    const koffi = createRequire(import.meta.url).resolve('koffi');
    const inOwnPids = [
      '-pf',
      '--mount-proc',
      process.execPath,
      program,
      pathToFileURL(koffi).href,
      directory,
      CONNECTOR,
    ];
    const { status, stdout, stderr } = spawnSync('unshare', inOwnPids, { encoding: 'utf8', timeout: 20_000 });
    if (stdout === '') return ctx.skip(`no process numbers of our own: ${stderr}`);
    expect(JSON.parse(stdout)).toEqual({ isReused: true, isPeersPid: true, executable: null });
    expect(status).toBe(0);
  });

  test('is nobody for what is no connection', async (ctx) => {
    const native = linuxNative(ctx);
    const file = openSync(join(directory, 'file'), 'w');
    onTestFinished(() => closeSync(file));
    expect(native.peerOf(file)).toBeNull();
    expect(native.peerExecutable(file)).toBeNull();
  });
});

test('without koffi, or on a system that freshd does not know, there are no native calls and a reason', async () => {
  expect(withoutKoffi).toEqual({
    isAvailable: false,
    why: 'the optional package koffi is missing (ERR_MODULE_NOT_FOUND); install it: npm install koffi',
  });
  expect(await loadNative({ platform: 'aix' })).toEqual({
    isAvailable: false,
    why: 'freshd knows no native calls for aix',
  });
});
