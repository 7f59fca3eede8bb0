/** Who may read: real users, real programs, a real user namespace. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { configure, eventually, is } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

/** Users that every Linux has; neither is root, nor the one that shares its number with nobody. */
const DAEMON = { uid: 1, gid: 1 };
const BIN = { uid: 2, gid: 2 };

function needsRoot(context: TestContext): void {
  if (process.getuid?.() !== 0) context.skip('needs root, to become two other users');
  for (const program of ['setpriv', 'curl']) {
    const { error } = spawnSync(program, ['--version']);
    if (error !== undefined) context.skip(`${program} cannot be run: ${error.message}`);
  }
}

interface Heard {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** curl, as another user. Status 0: it could not even connect. */
function curlAs(
  user: typeof DAEMON,
  workshop: Workshop,
  path: string,
  socket = 'freshd.sock',
  ...more: string[]
): Heard {
  const ids = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const curl = [
    'curl',
    '-s',
    '-w',
    '\n%{http_code}',
    '--unix-socket',
    workshop.path(socket),
    `http://freshd${path}`,
    ...more,
  ];
  const { stdout } = spawnSync('setpriv', [...ids, ...curl], { encoding: 'utf8', cwd: '/' });
  const [status = '0', ...body] = stdout.split('\n').reverse();
  return { status: Number(status), body: JSON.parse(body.join('') || '{}') };
}

const staticToken = (allow: object | null, value = 'DEMO_KEY') => ({
  static: `\${env:${value}}`,
  ...(allow === null ? {} : { allow }),
});

function freshd(workshop: Workshop, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const command = [resolve('bin/freshd.js'), ...args, '--socket', workshop.path('freshd.sock')];
  return spawnSync(process.execPath, command, {
    encoding: 'utf8',
    cwd: workshop.directory,
    env: { PATH: process.env.PATH },
  });
}

/** Resolves with what a stream brought until it was ended from the other side. */
async function streamOf(
  workshop: Workshop,
): Promise<{ readonly text: () => string; readonly ended: Promise<unknown> }> {
  const call = request({ socketPath: workshop.path('freshd.sock'), path: '/v1/events' });
  onTestFinished(() => void call.destroy());
  call.on('error', () => undefined).end();
  const [response] = await once(call, 'response');
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => response.once('close', resolve));
  while (!text.includes('event: synchronized')) await once(response, 'data');
  return { text: () => text, ended };
}

describe('a socket that is shared with a group', () => {
  test('F62: gives each user what the rules say, tells the other one the rule, and writes the denial down without the token', async (context) => {
    needsRoot(context);
    const workshop = createWorkshop();
    const shared = { socket: { path: 'freshd.sock', group: String(DAEMON.gid) } };
    const credentials = {
      both: staticToken(null),
      first: staticToken({ uids: [DAEMON.uid] }),
      second: staticToken({ gids: [BIN.gid] }),
    };
    configure(workshop, credentials, {}, shared);
    const daemon = await workshop.start().ready();
    const second = { ...BIN, gid: DAEMON.gid };
    expect(curlAs(DAEMON, workshop, '/v1/tokens/first').body).toMatchObject({
      access_token: 'key-from-the-environment',
    });
    expect(curlAs(second, workshop, '/v1/tokens/both').status).toBe(200);
    expect(curlAs(second, workshop, '/v1/tokens/first')).toMatchObject({
      status: 403,
      body: { error: 'not_allowed', reason: 'allow.uids' },
    });
    expect(curlAs(DAEMON, workshop, '/v1/tokens/second')).toMatchObject({
      status: 403,
      body: { reason: 'allow.gids' },
    });
    // Who is in neither of the groups does not come that far.
    expect(curlAs(BIN, workshop, '/v1/tokens/both').status).toBe(0);

    await daemon.until(({ event, credential }) => event === 'read_denied' && credential === 'second');
    const curl = realpathSync(spawnSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).stdout.trim());
    expect(daemon.records.filter(is('read_denied'))).toMatchObject([
      { credential: 'first', rule: 'allow.uids', uid: BIN.uid, executable: curl, count: 1 },
      { credential: 'second', rule: 'allow.gids', uid: DAEMON.uid, executable: curl, count: 1 },
    ]);
    expect(daemon.records.filter(is('token_read'))).toMatchObject([
      { credential: 'first', uid: DAEMON.uid, executable: curl },
      { credential: 'both', uid: BIN.uid, executable: curl },
    ]);
    expect(JSON.stringify(daemon.records)).not.toContain('key-from-the-environment');
  });

  test('keeps what changes the daemon to its own user, whose commands find the other socket', async (context) => {
    needsRoot(context);
    const workshop = createWorkshop();
    configure(workshop, { key: staticToken(null) }, {}, { socket: { path: 'freshd.sock', group: String(DAEMON.gid) } });
    await workshop.start().ready();
    const mode = (name: string) => statSync(workshop.path(name)).mode & 0o777;
    expect([mode('freshd.sock'), mode('control.sock')]).toEqual([0o660, 0o600]);
    const refused = curlAs(DAEMON, workshop, '/v1/reload', 'freshd.sock', '-X', 'POST');
    expect(refused).toMatchObject({ status: 403, body: { error: 'operators_socket' } });
    expect(curlAs(DAEMON, workshop, '/v1/reload', 'control.sock', '-X', 'POST').status).toBe(0);
    expect(freshd(workshop, 'reload')).toMatchObject({ status: 0, stderr: '' });
    expect(freshd(workshop, 'refresh', 'key').stderr).not.toContain('shared with a group');
  });
});

describe('a rule about readers', () => {
  test('that a reload brings is in force at once: the stream ends, the token file goes', async (context) => {
    needsRoot(context);
    const workshop = createWorkshop();
    configure(workshop, { key: staticToken(null) });
    mkdirSync(workshop.path('state/run/tokens'), { recursive: true, mode: 0o700 });
    const daemon = await workshop.start().ready();
    expect(workshop.exists('state/run/tokens/key')).toBe(true);
    const stream = await streamOf(workshop);
    expect(stream.text()).toContain('key-from-the-environment');
    configure(workshop, { key: staticToken({ uids: [DAEMON.uid] }) });
    daemon.process.kill('SIGHUP');
    await stream.ended;
    expect((await workshop.get('/v1/tokens/key')).status).toBe(403);
    await eventually(() => !workshop.exists('state/run/tokens/key'));
    expect((await streamOf(workshop)).text()).not.toContain('key-from-the-environment');
  });

  test('removes the token file that an earlier configuration left', async (context) => {
    needsRoot(context);
    const workshop = createWorkshop();
    configure(workshop, { key: staticToken(null) });
    const before = await workshop.start().ready();
    expect(await before.end('SIGTERM')).toBe(0);
    expect(workshop.exists('state/run/tokens/key')).toBe(true);
    configure(workshop, { key: staticToken({ uids: [DAEMON.uid] }) });
    await workshop.start().ready();
    expect(workshop.exists('state/run/tokens/key')).toBe(false);
  });

  test('names programs too: one is let in, another one of the same user is not', async (context) => {
    needsRoot(context);
    const workshop = createWorkshop();
    configure(workshop, { key: staticToken({ executables: [process.execPath] }) });
    await workshop.start().ready();
    expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
    const { status, body } = curlAs({ uid: 0, gid: 0 }, workshop, '/v1/tokens/key');
    expect([status, body.reason]).toEqual([403, 'allow.executables']);
  });

  test('refuses to load where users look alike, and says what to do', async (context) => {
    if (process.platform !== 'linux') context.skip('only Linux has user namespaces');
    const { status, stderr } = spawnSync('unshare', ['--user', '--map-root-user', 'true'], { encoding: 'utf8' });
    if (status !== 0) context.skip(`no user namespace: ${stderr}`);
    const workshop = createWorkshop();
    configure(workshop, { key: staticToken({ uids: [0, 1], gids: [65_534] }) });
    const daemon = workshop.startThrough(['unshare', '--user', '--map-root-user']);
    expect(await once(daemon.process, 'exit')).toEqual([78, null]);
    const what = 'expected ids that can be told apart, got';
    expect(daemon.stderr()).toContain(`credentials.key.allow.uids: ${what} 1; in this user namespace`);
    expect(daemon.stderr()).toContain(`credentials.key.allow.gids: ${what} 65534; in this user namespace`);
    expect(daemon.stderr()).not.toContain(`${what} 0;`);
  });

  test('refuses to load without native calls, which without rules is only said', async () => {
    const workshop = createWorkshop();
    workshop.write(
      'no-koffi.mjs',
      `import { register } from 'node:module';
      const hook = \`export const resolve = (name, context, next) => {
        if (name === 'koffi') throw Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' });
        return next(name, context);
      };\`;
      register('data:text/javascript,' + encodeURIComponent(hook));`,
    );
    const without = `--import=${workshop.path('no-koffi.mjs')}`;
    configure(workshop, { key: staticToken({ uids: [1] }) });
    const refused = workshop.startUnder(without);
    expect(await once(refused.process, 'exit')).toEqual([78, null]);
    expect(refused.stderr()).toContain(
      'credentials.key.allow: expected a system that tells who connects, got none; the optional package koffi is missing',
    );
    configure(workshop, { key: staticToken(null) });
    const daemon = await workshop.startUnder(without).ready();
    expect(daemon.records.find(is('process_not_protected'))).toMatchObject({
      detail: 'the optional package koffi is missing (ERR_MODULE_NOT_FOUND); install it: npm install koffi',
    });
    expect((await workshop.get('/v1/tokens/key')).status).toBe(200);
  });
});

test('the process lets nobody of its own user look into it, and leaves no core file', async (context) => {
  needsRoot(context);
  const workshop = createWorkshop();
  configure(workshop, { key: staticToken(null) });
  // Root as another user would be: without the right to look into every process. Whoever may attach may see this link.
  const humble = ['setpriv', '--bounding-set=-sys_ptrace'];
  const daemon = await workshop.startThrough(humble).ready();
  expect(daemon.records.find(is('process_protected'))).toMatchObject({ not_dumpable: 'done', no_core_files: 'done' });
  const readlink = (path: string) => spawnSync('setpriv', [...humble.slice(1), 'readlink', path]).status;
  const own = spawn('setpriv', [...humble.slice(1), 'sleep', '60']);
  onTestFinished(() => void own.kill());
  expect(readlink(`/proc/${own.pid}/exe`)).toBe(0);
  expect(readlink(`/proc/${daemon.pid}/exe`)).toBe(1);
  const limits = spawnSync('cat', [`/proc/${daemon.pid}/limits`], { encoding: 'utf8' }).stdout;
  expect(limits).toMatch(/^Max core file size +0 +0 /m);
});

test('an inspector that a signal opened before anybody listened is closed again', async () => {
  const workshop = createWorkshop();
  workshop.write(
    'early.mjs',
    `process.kill(process.pid, 'SIGUSR1');
    const { url } = await import('node:inspector');
    while (url() === undefined) await new Promise((resolve) => setTimeout(resolve, 5));`,
  );
  configure(workshop, { key: staticToken(null) });
  const daemon = await workshop.startUnder(`--import=${workshop.path('early.mjs')}`).ready();
  const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)\//.exec(daemon.stderr())?.[1]);
  expect(port).toBeGreaterThan(0);
  const answer = fetch(`http://127.0.0.1:${port}/json/list`).then((response) => response.text());
  expect(await answer.catch(() => 'refused')).not.toContain(String(daemon.pid));
});

test('a service that was started with a way in does not start', async () => {
  const workshop = createWorkshop();
  configure(workshop, { key: staticToken(null) });
  const daemon = workshop.startThrough(['env', 'NOTIFY_SOCKET=@nobody', 'NODE_OPTIONS=--require=os']);
  expect(await once(daemon.process, 'exit')).toEqual([78, null]);
  expect(daemon.stderr()).toMatch(
    /^freshd: expected a service that nobody can look into, got --require in NODE_OPTIONS; /,
  );
});
