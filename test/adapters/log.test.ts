import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { build, type PluginBuild } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createLog, type LogOptions } from '../../src/adapters/log.ts';
import { PortError } from '../../src/daemon/ports.ts';

let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'freshd-log-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

let files = 0;

/** A log into a file of its own, and how to read what it holds once `count` lines are there. */
function fileLog(options: Partial<LogOptions> = {}) {
  files += 1;
  const file = join(directory, `${files}.log`);
  const log = createLog({ level: 'info', file, pretty: false, ...options });
  const lines = async (count: number): Promise<readonly string[]> =>
    vi.waitFor(async () => {
      const found = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
      if (found.length < count) throw new Error(`${found.length} of ${count} lines so far`);
      return found;
    });
  return { file, log, lines };
}

describe('log records', () => {
  test('A10: one JSON record a call, with time, level, event and the fields', async () => {
    const { log, lines } = fileLog();
    log.write('warn', 'refresh_failed', {
      credential: 'claude',
      attempt: 3,
      code: 'timeout',
      doubt: true,
      reason: null,
    });
    const [line] = await lines(1);
    const record = JSON.parse(line ?? '');
    expect(record).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'refresh_failed',
      credential: 'claude',
      attempt: 3,
      code: 'timeout',
      doubt: true,
      reason: null,
    });
  });

  test.each([
    ['a JWT', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib3QifQ.c2lnbmF0dXJl'],
    ['half a JWT', 'eyJhbGciOiJSUzI1NiJ9.eyJzd'],
    ['an Authorization value', 'Bearer 0123456789abcdef/+=='],
    ['one in lower case', 'authorization: bearer opaque-0123456789'],
    ['a provider’s API key', 'sk-ant-oat01-0123456789abcdef'],
    ['a GitHub token', 'gho_0123456789abcdefABCDEF'],
  ])('A10: %s in a field is replaced, wherever it stands', async (_name, secret) => {
    const { file, log, lines } = fileLog();
    log.write('error', 'refresh_failed', { detail: `the server said "${secret}", then closed` });
    const [line] = await lines(1);
    expect(JSON.parse(line ?? '').detail).toMatch(/^the server said ".*\[redacted\]", then closed$/);
    const kept = secret.replace(/^.*?(bearer|sk-|gho_|eyJ)/i, '');
    expect(await readFile(file, 'utf8')).not.toContain(kept);
  });

  test('A10: a string longer than 512 characters is left out, its length is said', async () => {
    const { log, lines } = fileLog();
    log.write('info', 'answer', { kept: 'k'.repeat(512), dropped: 'd'.repeat(513) });
    const record = JSON.parse((await lines(1))[0] ?? '');
    expect(record.kept).toBe('k'.repeat(512));
    expect(record.dropped).toBe('[513 characters left out]');
  });

  test('ordinary words that resemble secrets stay', async () => {
    const { log, lines } = fileLog();
    const detail = 'token_type bearer, expected exit 0; got 401 (risk-free task-list)';
    log.write('info', 'answer', { detail: 'basic' });
    log.write('info', 'answer', { detail: detail.replace('bearer,', 'bearer:') });
    const records = (await lines(2)).map((line) => JSON.parse(line).detail);
    expect(records).toEqual(['basic', detail.replace('bearer,', 'bearer:')]);
  });

  test('a changed level holds from the next record on', async () => {
    const { log, lines } = fileLog();
    log.write('debug', 'unseen', {});
    log.setLevel('debug');
    log.write('debug', 'seen', {});
    log.setLevel('error');
    log.write('warn', 'unseen', {});
    log.write('error', 'last', {});
    expect((await lines(2)).map((line) => JSON.parse(line).event)).toEqual(['seen', 'last']);
  });

  test('a log file is created for its owner alone and appended to', async () => {
    const { file, log, lines } = fileLog();
    log.write('info', 'one', {});
    await lines(1);
    createLog({ level: 'info', file, pretty: false }).write('info', 'two', {});
    expect((await lines(2)).map((line) => JSON.parse(line).event)).toEqual(['one', 'two']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('a FIFO that nobody reads is refused at once', (ctx) => {
    if (process.platform === 'win32') return ctx.skip('needs mkfifo');
    const file = join(directory, 'fifo');
    execFileSync('mkfifo', [file]);
    expect(() => createLog({ level: 'info', file, pretty: false })).toThrow(/cannot open the log .*fifo.*name a file/);
  });

  test('a log file in a missing directory is an error that says what to do', () => {
    const file = join(directory, 'missing', 'freshd.log');
    expect(() => createLog({ level: 'info', file, pretty: false })).toThrow(PortError);
    expect(() => createLog({ level: 'info', file, pretty: false })).toThrow(
      /missing\/freshd\.log.*create the directory/,
    );
  });
});

describe('lines for people', () => {
  test('time, level, event and credential stand in columns, the rest behind them', async () => {
    const { log, lines } = fileLog({ pretty: true });
    log.write('info', 'refresh_succeeded', {
      credential: 'claude',
      attempt: 3,
      code: null,
      target: 'envFile:/srv/.env#T',
    });
    log.write('error', 'listening', { detail: 'a b\u001b[2J' });
    const found = await lines(2);
    expect(found[0]).toMatch(
      /^\d\d:\d\d:\d\dZ {2}info {3}refresh_succeeded {9}claude {8}attempt=3 target=envFile:\/srv\/\.env#T$/,
    );
    expect(found[1]).toMatch(/^\d\d:\d\d:\d\dZ {2}error {2}listening {17}- {13}detail="a b\\u001b\[2J"$/);
  });
});

describe('a log on standard output', () => {
  /** Logs `records` records to standard output, then says `alive` on standard error and stays until its standard input ends. */
  async function startLogger(
    records: number,
    options: { log?: string; output?: 'pipe' | number; exits?: boolean } = {},
  ) {
    const entry = join(directory, 'logger.ts');
    const output = join(directory, 'logger.mjs');
    await writeFile(
      entry,
      `import { createLog } from ${JSON.stringify(resolve('src/adapters/log.ts'))};
       const log = createLog({ level: 'info', file: ${JSON.stringify(options.log ?? null)}, pretty: false });
       const write = (count) => { for (let n = 0; n < count; n += 1) log.write('info', 'tick', { n }); };
       write(${records});
       ${options.exits === true ? "process.stderr.write('alive');process.exit(0);" : ''}
       setImmediate(() => process.stderr.write('alive\\n'));
       process.stdin.on('data', () => { write(1); setImmediate(() => process.stderr.write('alive\\n')); });
       process.stdin.on('end', () => process.exit(0));`,
    );
    await build({
      entryPoints: [entry],
      outfile: output,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      plugins: [{ name: 'pino-from-here', setup: externalPino }],
    });
    const child = spawn(process.execPath, [output], { stdio: ['pipe', options.output ?? 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const { stdin, stderr } = child;
    if (stdin === null || stderr === null) throw new Error('both were asked for');
    const stdout = child.stdout ?? new PassThrough();
    return Object.assign(child, { stdin, stdout, stderr });
  }

  test('what was logged before an exit is written, also when that is more than a pipe holds', async () => {
    const child = await startLogger(10_000, { exits: true });
    await once(child.stderr, 'data');
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(text.trimEnd().split('\n')).toHaveLength(10_000);
  });

  test.each(['socket', 'pipe'] as const)(
    'a reader of a %s that never reads does not keep the daemon from ending',
    async (kind) => {
      const child = await startLogger(30_000, { output: kind === 'pipe' ? await unreadPipe() : 'pipe' });
      await once(child.stderr, 'data');
      child.stdin.end();
      expect(await once(child, 'exit')).toEqual([0, null]);
    },
  );

  test('a reader that goes away (EPIPE) does not end the daemon', async () => {
    const child = await startLogger(0);
    await once(child.stderr, 'data');
    child.stdout.destroy();
    for (let round = 0; round < 3; round += 1) {
      child.stdin.write('more\n');
      await once(child.stderr, 'data');
    }
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('F39: a full disk does not end the daemon', async (context) => {
    if (!existsSync('/dev/full')) return context.skip('no /dev/full here');
    const child = await startLogger(1, { log: '/dev/full' });
    await once(child.stderr, 'data');
    for (let round = 0; round < 3; round += 1) {
      child.stdin.write('more\n');
      await once(child.stderr, 'data');
    }
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('a reader that stops reading does not stop the daemon; when it reads again, it is told what was lost', async () => {
    const child = await startLogger(30_000);
    await once(child.stderr, 'data');
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await vi.waitFor(() => expect(text).toContain('log_records_lost'), { timeout: 10_000 });
    child.stdin.end();
    expect(await once(child, 'close')).toEqual([0, null]);
    const records = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const lost = records.find((record) => record.event === 'log_records_lost');
    expect(lost.count + records.filter((record) => record.event === 'tick').length).toBe(30_000);
  });
});

/** Both ends of a named pipe, open for as long as the test runs. */
async function unreadPipe(): Promise<number> {
  const path = join(directory, 'pipe');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  const handle = await open(path, 'r+');
  onTestFinished(() => handle.close());
  return handle.fd;
}

/** pino loads itself at run time; the bundle lies outside the checkout, so it needs the whole path. */
function externalPino(builder: PluginBuild): void {
  builder.onResolve({ filter: /^pino$/ }, () => ({ path: resolve('node_modules/pino/pino.js'), external: true }));
}
