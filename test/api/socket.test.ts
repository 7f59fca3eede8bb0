import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApiServer } from '../../src/api/server.ts';
import { request } from '../../src/client/transport.ts';
import { arrange, createTestTimers, temporaryDirectory, until } from './arrange.ts';
import { createFakeDaemon, createRecordedLog } from './fake-daemon.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

function start(socketPath: string) {
  return startApiServer({
    daemon: createFakeDaemon(),
    socketPath,
    log: createRecordedLog(),
    timers: createTestTimers(),
  });
}

/** A socket whose owner was killed without a chance to remove it. */
async function staleSocket(socketPath: string): Promise<void> {
  const program = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the socket', () => {
  test('F62: is nobody else’s: directory 0700, socket 0600, whatever the mask of the process', async () => {
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    const { socketPath } = await arrange();
    expect([modeOf(dirname(socketPath)), modeOf(socketPath), process.umask()]).toEqual(['700', '600', 0]);
  });

  test('is never open to others, not even for an instant', async () => {
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    const socketPath = join(temporaryDirectory(), 'freshd.sock');
    const starting = start(socketPath);
    const modes = new Set<string>();
    await until(() => {
      if (existsSync(socketPath)) modes.add(modeOf(socketPath));
      return modes.size > 0;
    });
    await (await starting).close();
    expect([...modes]).toEqual(['600']);
  });

  test('is removed at the end, and only it', async () => {
    const { server, socketPath } = await arrange();
    writeFileSync(join(dirname(socketPath), 'other'), '');
    await server.close();
    expect(readdirSync(dirname(socketPath))).toEqual(['other']);
  });

  test('F56: of a killed daemon is replaced', async () => {
    const socketPath = join(temporaryDirectory(), 'freshd.sock');
    await staleSocket(socketPath);
    expect(existsSync(socketPath)).toBe(true);
    const { daemon, get } = await arrange({ socketPath });
    daemon.load('claude', 'at-1');
    expect((await get('/v1/tokens/claude')).status).toBe(200);
  });

  test('F57: of a living daemon is refused, and goes on answering', async () => {
    const { daemon, get, socketPath } = await arrange();
    daemon.load('claude', 'at-1');
    await expect(start(socketPath)).rejects.toMatchObject({ name: 'PortError', code: 'socket_in_use' });
    expect((await get('/v1/tokens/claude')).status).toBe(200);
  });

  test('is not made where another kind of file stands, which is left alone', async () => {
    const socketPath = join(temporaryDirectory(), 'freshd.sock');
    writeFileSync(socketPath, 'somebody’s');
    await expect(start(socketPath)).rejects.toMatchObject({ code: 'socket_path_taken' });
    expect(statSync(socketPath).isFile()).toBe(true);
  });

  test('is not made where others could put theirs in its place', async () => {
    const directory = temporaryDirectory();
    chmodSync(directory, 0o777);
    await expect(start(join(directory, 'freshd.sock'))).rejects.toMatchObject({ code: 'socket_directory_unsafe' });
  });

  test('in a directory that others may enter is made, with a warning that says how to close it', async () => {
    const directory = temporaryDirectory();
    chmodSync(directory, 0o755);
    const { log, socketPath } = await arrange({ socketPath: join(directory, 'freshd.sock') });
    expect(modeOf(socketPath)).toBe('600');
    expect(log.records).toMatchObject([{ level: 'warn', event: 'socket_directory_open' }]);
  });

  test('F58: with a path over the limit is refused before anything is made', async () => {
    const directory = temporaryDirectory();
    const fits = join(directory, 'd'.repeat(107 - directory.length - 1 - 5), 's.st');
    expect(fits).toHaveLength(107);
    await (await start(fits)).close();
    const tooLong = join(directory, 'e'.repeat(107 - directory.length - 1 - 4), 's.st');
    await expect(start(tooLong)).rejects.toMatchObject({ code: 'socket_path_too_long' });
    expect(existsSync(dirname(tooLong))).toBe(false);
  });

  test.each([
    ['file', (socketPath: string) => rmSync(socketPath)],
    ['directory', (socketPath: string) => rmSync(dirname(socketPath), { recursive: true })],
  ])('F59: whose %s is removed is made again, and says so', async (_, remove) => {
    const { daemon, get, log, removals, socketPath, timers } = await arrange();
    daemon.load('claude', 'at-1');
    remove(socketPath);
    timers.tick();
    await until(() => log.records.length === 2);
    expect(log.records.map(({ event }) => event)).toEqual(['socket_removed', 'socket_recreated']);
    expect(removals).toEqual([{ path: socketPath, code: null, remedy: null }]);
    expect((await get('/v1/tokens/claude')).status).toBe(200);
    expect([modeOf(dirname(socketPath)), modeOf(socketPath)]).toEqual(['700', '600']);
  });

  test('F59: that cannot be made again is said once, tried at every look, and there again when it can', async () => {
    const { daemon, get, log, removals, socketPath, timers } = await arrange();
    daemon.load('claude', 'at-1');
    rmSync(socketPath);
    mkdirSync(socketPath);
    for (const _ of [1, 2, 3]) {
      timers.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(log.records).toMatchObject([
      { event: 'socket_removed' },
      { event: 'socket_recreation_failed', fields: { code: 'socket_path_taken' } },
    ]);
    rmSync(socketPath, { recursive: true });
    timers.tick();
    await until(() => log.records.length === 3);
    expect(removals.map(({ code }) => code)).toEqual(['socket_path_taken', null]);
    expect((await get('/v1/tokens/claude')).status).toBe(200);
  });

  test('F57: that another program took over meanwhile is left to it, also at the end', async () => {
    const { log, server, socketPath, timers } = await arrange();
    rmSync(socketPath);
    const other = createServer().listen(socketPath);
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    timers.tick();
    await until(() => log.records.length === 2);
    expect(log.records[1]).toMatchObject({ event: 'socket_recreation_failed', fields: { code: 'socket_in_use' } });
    await server.close();
    expect(existsSync(socketPath)).toBe(true);
  });

  test('that stays where it is is left alone', async () => {
    const { log, socketPath, timers } = await arrange();
    const before = statSync(socketPath).ino;
    timers.tick();
    expect([log.records, statSync(socketPath).ino]).toEqual([[], before]);
  });
});

describe('a pipe of Windows', () => {
  test('A17: is served without a look at files or folders, and answers; not run on Windows by these tests', async () => {
    // Here the name makes a socket in the working directory: what matters is that nothing else is made of it.
    const directory = temporaryDirectory();
    const cwd = process.cwd();
    process.chdir(directory);
    onTestFinished(() => process.chdir(cwd));
    const socketPath = '\\\\.\\pipe\\freshd-ann';
    const log = createRecordedLog();
    const timers = createTestTimers();
    const api = await startApiServer({ daemon: createFakeDaemon(), socketPath, isPipe: true, log, timers });
    const answer = await request({ socketPath, method: 'GET', path: '/v1/health/live', timeoutMs: 10_000 });
    expect(answer.status).toBe(200);
    expect(readdirSync(directory)).toEqual([socketPath]);
    await api.close();
  });
});
