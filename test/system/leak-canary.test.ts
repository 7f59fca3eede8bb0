/**
 * Marked secrets, driven through every path: they may be found only where a token belongs.
 *
 * Rule: the mark is looked for, not the secrets: eight characters of any of them, as they are or encoded, are a leak.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { COMMANDS as COMMANDS_THERE_ARE } from '../../src/cli/program.ts';
import { configure, eventually } from './arrange.ts';
import { leaks, MARK, secret, startAuthorization, startNotifiers } from './canary.ts';
import { createWorkshop, type RunningDaemon, type Workshop } from './workshop.ts';

const run = promisify(execFile);

/** What the script does next stands in the file `mode`. */
const SCRIPT = `#!/bin/sh
read -r tokens
mode=$(cat "$HOME/mode")
token() { printf '%s%s-%s' "$(cat "$HOME/mark")" "$1" "$(od -An -N8 -tx1 /dev/urandom | tr -d ' \\n')"; }
answer() { printf '{"access_token":"%s","refresh_token":"%s","token_type":"Bearer","expires_in":3600}' "$(token a)" "$(token r)"; }
echo "$tokens" >&2
case $mode in
  ok) answer ;;
  partial) answer | head -c 90 ;;
  garbage) echo "the token is $(token a)" ;;
  description) printf '{"error":"temporarily_unavailable","error_description":"%s"}' "$(token a)"; exit 1 ;;
  code) printf '{"error":"%s"}' "$(token a)"; exit 1 ;;
  exit) exit "$(cat "$HOME/status")" ;;
  hangs) answer | head -c 90; sleep 600 ;;
  refused) printf '{"error":"invalid_grant","error_description":"%s"}' "$tokens"; exit 1 ;;
esac
`;

/** Everything that a program of somebody else is given. */
const DUMP = `#!/bin/sh
{ env; echo "$@"; cat; } >> "$(dirname "$0")/$(basename "$0").out"
`;

/** Looks at all processes of the workshop again and again: what they were called with, and their environments. */
function watchProcesses(workshop: Workshop, daemons: () => readonly number[]) {
  const seen: string[] = [];
  let looks = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      for (const pid of [...workshop.strays(), ...daemons()]) {
        for (const file of ['cmdline', 'environ']) {
          const text = textAt(`/proc/${pid}/${file}`);
          looks += Number(text !== '');
          if (leaks(text)) seen.push(`${file} of ${textAt(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
        }
      }
      await pass(20);
    }
  })();
  const stop = async () => {
    isOver = true;
    await watching;
    return { seen, looks };
  };
  return stop;
}

function textAt(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    // It ended, or was removed.
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

/** Files of the workshop in which a shape of the mark stands. */
function leakingFiles(workshop: Workshop): readonly string[] {
  return readdirSync(workshop.directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => leaks(textAt(path)) || leaks(path.slice(workshop.directory.length)))
    .map((path) => path.slice(workshop.directory.length + 1))
    .sort();
}

/** A bug that nobody foresaw, of which the message quotes what it stumbled over; by signal, thrown or rejected. */
const BREAKS = `import { readFileSync } from 'node:fs';
const quoting = () => new Error('cannot read ' + readFileSync('key', 'utf8'));
process.on('SIGUSR2', () => { throw quoting(); });
process.on('SIGWINCH', () => void Promise.reject(quoting()));
`;

/** What the notifier of a desktop is called with. */
const NOTIFIER = `#!/bin/sh
{ env; echo "$@"; } >> "$(dirname "$0")/../notify-send.out"
`;

const NOTIFIED = ['webhook', 'slack', 'discord', 'telegram', 'ntfy', 'sentry'];

async function arrangeCanary() {
  const workshop = createWorkshop();
  const [notifiers, authorization] = await Promise.all([startNotifiers(), startAuthorization()]);
  workshop.write('refresh.sh', SCRIPT, 0o700);
  for (const name of ['hook', 'sink']) workshop.write(name, DUMP, 0o700);
  mkdirSync(workshop.path('bin'));
  workshop.write('bin/notify-send', NOTIFIER, 0o700);
  workshop.write('mark', MARK);
  workshop.write('mode', 'ok');
  mkdirSync(workshop.path('tmp'));
  workshop.write('status', '1');
  workshop.write('key', secret('key'));
  workshop.write('client-secret', secret('client'));
  const { origin } = notifiers;
  for (const type of NOTIFIED) workshop.write(`sink-${type}`, notifiers.url(type));
  workshop.write('sink-ntfy', `${origin}/ntfy`);
  workshop.write('sink-sentry', `${origin.replace('//', `//${encodeURIComponent(secret('dsn'))}@`)}/sentry/1`);
  for (const name of ['signing', 'topic', 'ntfy', 'bot', 'inherited']) workshop.write(name, secret(name));
  workshop.write('breaks.mjs', BREAKS);
  login(workshop, 'store', 0);
  login(workshop, 'native', 0);
  const store = { format: 'token-response', path: 'store.json' };
  const publish = [{ envFile: '.env', variable: 'MAIL_TOKEN' }, { hook: ['./hook', 'argument'] }];
  const oauth = {
    tokenEndpoint: 'http://127.0.0.1:9/token',
    clientId: 'c',
    clientSecret: inFile('client-secret'),
  };
  const credentials = {
    mail: { store, refresh: { command: ['./refresh.sh'], input: 'token' }, publish },
    native: { store: { format: 'token-response', path: 'native.json' }, refresh: { oauth } },
    key: { static: inFile('key') },
    mine: {
      store: { format: 'token-response', path: 'mine.json' },
      refresh: {
        oauth: {
          ...oauth,
          tokenEndpoint: `${authorization.origin}/token`,
          deviceAuthorizationEndpoint: `${authorization.origin}/device`,
        },
      },
    },
  };
  const sinks = [
    { type: 'log' },
    { type: 'desktop' },
    { type: 'command', command: ['./sink'] },
    { type: 'webhook', url: inFile('sink-webhook'), secret: inFile('signing') },
    { type: 'slack', url: inFile('sink-slack') },
    { type: 'discord', url: inFile('sink-discord') },
    { type: 'telegram', url: inFile('sink-telegram'), botToken: inFile('bot'), chatId: '1' },
    { type: 'ntfy', url: inFile('sink-ntfy'), topic: inFile('topic'), token: inFile('ntfy') },
    { type: 'sentry', dsn: inFile('sink-sentry') },
  ];
  const others = { chains: { both: ['mail', 'key'] }, alerts: { sinks }, log: { level: 'debug' } };
  configure(workshop, credentials, { refreshTimeoutSeconds: 2, maxRetries: 2 }, others);
  return { workshop, notifiers };
}

const inFile = (name: string) => `$${`{file:${name}}`}`;

/** Another one each time, and due to be refreshed at once. */
function login(workshop: Workshop, name: 'store' | 'native', count: number): void {
  const obtained_at = Math.floor(Date.now() / 1_000) - 3_000;
  const tokens = { access_token: secret(`${name}-a${count}`), refresh_token: secret(`${name}-r${count}`) };
  workshop.write(`${name}.json`, { ...tokens, token_type: 'Bearer', expires_in: 3_600, obtained_at });
}

/** By their first word. `run` and `watch` go on in the background. */
const driven = new Set(['run', 'watch']);

/** A command of freshd, whatever it ends with. */
async function freshd(workshop: Workshop, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  driven.add(args[0] ?? '');
  const argv = [resolve('bin/freshd.js'), ...args];
  const env = { PATH: process.env.PATH, HOME: workshop.directory, FRESHD_CONFIG: workshop.path('config.json') };
  const options = { cwd: workshop.directory, env, timeout: 30_000 };
  const ended = run(process.execPath, argv, options);
  // For whoever reads it: text that somebody pasted.
  ended.child.stdin?.end(
    JSON.stringify({ context: 'script-stderr', body_or_stderr: `${secret('given')} has expired` }),
  );
  return await ended.catch((error: { stdout: string; stderr: string }) => error);
}

function answer(workshop: Workshop, method: string, path: string, body?: object): Promise<string> {
  return new Promise((found, lost) => {
    const call = request({ socketPath: workshop.path('freshd.sock'), method, path }, (response) => {
      let text = JSON.stringify(response.headers);
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => found(text));
    });
    call.on('error', lost).end(body === undefined ? '' : JSON.stringify(body));
  });
}

/** What the stream tells beside tokens. */
function subscribe(workshop: Workshop): () => string {
  let text = '';
  const call = request({ socketPath: workshop.path('freshd.sock'), path: '/v1/events' }, (response) => {
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', () => undefined);
  });
  call.on('error', () => undefined).end();
  return () =>
    text
      .split('\n\n')
      .filter((event) => !/^event: token$/m.test(event))
      .join('\n\n');
}

/** What the script does, and the status it ends with where it says nothing on its standard output. */
const MODES: readonly (readonly [string, string])[] = [
  ['ok', '0'],
  ...['74', '75', '1'].map((status) => ['exit', status] as const),
  ...['partial', 'garbage', 'description', 'code', 'hangs'].map((mode) => [mode, '0'] as const),
  ...['78', '77'].map((status) => ['exit', status] as const),
  ['refused', '0'],
];

/** Where a secret stood before, where tokens belong, and the journal, which keeps what it was overwritten with. */
const ALLOWED =
  /^(?:mark|key|client-secret|sink-[a-z]+|signing|topic|ntfy|bot|inherited|store\.json|native\.json|mine\.json|\.env|state\/run\/tokens\/[a-z]+|state\/journal\/[a-z]+\.journal)$/;
const GIVEN = ['hook', 'sink', 'notify-send'];
const SPOOL = /^state\/spool\//;

const TOKEN_FORMATS =
  COMMANDS_THERE_ARE.find(({ name }) => name === 'token')?.options.find(({ name }) => name === 'format')?.choices ?? [];

const COMMANDS: readonly (readonly string[])[] = [
  ['status'],
  ['status', '--json'],
  ['explain', 'mail'],
  ['status', '--check'],
  ['check'],
  ['doctor'],
  ['reload'],
  ['report', 'mail'],
  ['alert', 'test'],
  ['completion', 'bash'],
  ['init'],
  ['run', '--dry-run'],
  ['service', 'install', '--dry-run'],
  ['service', 'uninstall', '--purge', '--dry-run'],
  ['classify'],
  ['token', 'nobody'],
];

/** The first time the server says no. */
async function logIn(workshop: Workshop, said: Record<string, string>): Promise<void> {
  for (const outcome of ['refused', 'granted']) {
    const { stdout, stderr } = await freshd(workshop, ['login', 'mine', '--device']);
    said[`login ${outcome}`] = stdout + stderr;
    expect(stdout + stderr).toContain('ABCD');
    expect(workshop.exists('mine.json')).toBe(outcome === 'granted');
  }
  await eventually(() => workshop.exists('state/run/tokens/mine'));
  said['refresh mine'] = JSON.stringify(await freshd(workshop, ['refresh', 'mine', '--force']));
}

/** Of a daemon that tells its log to a terminal, while the script fails. */
async function logForPeople(workshop: Workshop): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: workshop.directory, FRESHD_LOG: 'pretty' };
  const daemon = spawn(process.execPath, [resolve('bin/freshd.js'), 'run', '--config', 'config.json'], {
    cwd: workshop.directory,
    env,
  });
  onTestFinished(() => void daemon.kill('SIGKILL'));
  let text = '';
  for (const stream of [daemon.stdout, daemon.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  await eventually(() => /\bready\b/.test(text));
  workshop.write('mode', 'description');
  await freshd(workshop, ['refresh', 'mail', '--force']);
  await eventually(() => /\brefresh_failed\b/.test(text));
  const exited = once(daemon, 'exit');
  daemon.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  return text;
}

/** Each command of the table, and each way to print a token. */
async function driveCommands(workshop: Workshop, said: Record<string, string>): Promise<void> {
  for (const args of COMMANDS) {
    const { stdout, stderr } = await freshd(workshop, args);
    said[args.join(' ')] = stdout + stderr;
    expect(stdout + stderr, args.join(' ')).not.toBe('');
  }
  await logIn(workshop, said);
  const { stdout, stderr } = await freshd(workshop, ['token', 'key']);
  expect(stdout.trim()).toBe(secret('key'));
  const executed = await freshd(workshop, ['exec', 'key', '--', 'sh', '-c', 'sleep 0.3; env >&1']);
  expect(executed.stdout).toContain(secret('key'));
  said.token = stderr + executed.stderr;
  for (const format of TOKEN_FORMATS) {
    const shown = await freshd(workshop, ['token', 'key', '--format', format]);
    said[`token as ${format}`] = shown.stderr;
  }
  expect(COMMANDS_THERE_ARE.filter(({ name }) => !driven.has(name))).toEqual([]);
}

test('A10: of marked secrets nothing is found but where a token belongs, whatever fails, crashes, is asked or is told', {
  timeout: 240_000,
}, async (ctx) => {
  if (process.platform !== 'linux') ctx.skip('looks at processes by /proc');
  const { workshop, notifiers } = await arrangeCanary();
  const daemons: RunningDaemon[] = [];
  const start = async () => {
    // Two variables that no program of others may be given: one of the daemon's caller, one that preloads into Node.
    const preload = `--import=${workshop.path('breaks.mjs')}`;
    const daemon = workshop.startThrough([
      ...['sh', '-c', 'INHERITED_SECRET=$(cat inherited) exec "$0" "$@"'],
      'env',
      `TMPDIR=${workshop.path('tmp')}`,
      `PATH=${workshop.path('bin')}:${process.env.PATH}`,
      'DISPLAY=:99',
      `NODE_OPTIONS=${preload}`,
    ]);
    daemons.push(daemon);
    return await daemon.ready();
  };
  const stopWatching = watchProcesses(workshop, () => daemons.map(({ pid }) => pid));
  let daemon = await start();
  const streams = [subscribe(workshop)];
  const said: Record<string, string> = {};
  const watcher = spawn(process.execPath, [resolve('bin/freshd.js'), 'watch', '--json'], {
    cwd: workshop.directory,
    env: { PATH: process.env.PATH, HOME: workshop.directory, FRESHD_CONFIG: workshop.path('config.json') },
  });
  onTestFinished(() => void watcher.kill('SIGKILL'));
  said.watch = '';
  for (const stream of [watcher.stdout, watcher.stderr]) stream.on('data', (chunk) => (said.watch += String(chunk)));

  const ends = () =>
    daemon.records.filter(
      ({ credential, from, to }) => credential === 'mail' && from === 'refreshing' && to !== 'refreshing',
    ).length;
  for (const [index, [mode, status]] of MODES.entries()) {
    workshop.write('mode', mode);
    workshop.write('status', status);
    const before = ends();
    login(workshop, 'store', index + 1);
    const { stdout, stderr } = await freshd(workshop, ['refresh', 'mail', '--force']);
    said[`refresh ${mode} ${status}`] = stdout + stderr;
    await eventually(() => ends() > before);
  }
  workshop.write('mode', 'ok');
  login(workshop, 'store', MODES.length + 1);
  await eventually(() => workshop.env().MAIL_TOKEN !== undefined);

  await driveCommands(workshop, said);
  for (const path of [
    '/v1/credentials',
    '/v1/credentials/mail',
    '/v1/credentials/both',
    '/v1/health/ready',
    '/metrics',
    '/openapi.json',
  ]) {
    said[path] = await answer(workshop, 'GET', path);
  }
  said[`/v1/tokens/unknown`] = await answer(workshop, 'GET', `/v1/tokens/${encodeURIComponent('nobody')}`);
  const report = {
    generation: 1,
    http_status: 403,
    consumer: 'canary',
    body: JSON.stringify({ error: secret('echoed') }),
  };
  said.rejections = await answer(workshop, 'POST', '/v1/tokens/mail/rejections', report);

  // Killed while a script has printed half an answer: it is kept in the spool, and nowhere else.
  workshop.write('mode', 'hangs');
  await freshd(workshop, ['refresh', 'mail', '--force']);
  await eventually(() => leakingFiles(workshop).some((path) => SPOOL.test(path)));
  await daemon.end('SIGKILL');
  expect(leakingFiles(workshop).filter((path) => !ALLOWED.test(path) && !SPOOL.test(path))).toEqual([]);
  workshop.write('mode', 'ok');
  daemon = await start();
  streams.push(subscribe(workshop));
  await eventually(() => !leakingFiles(workshop).some((path) => SPOOL.test(path)));
  await eventually(
    () => notifiers.told.size === NOTIFIED.length && GIVEN.every((name) => workshop.exists(`${name}.out`)),
  );
  for (const signal of ['SIGUSR2', 'SIGWINCH'] as const) {
    expect(await daemon.end(signal)).toBe(70);
    expect(daemon.records.at(-1)).toMatchObject({ event: 'crashed', code: 'Error' });
    daemon = await start();
  }
  expect(await daemon.end('SIGTERM')).toBe(0);
  said['pretty log'] = await logForPeople(workshop);
  const exited = once(watcher, 'exit');
  watcher.kill('SIGTERM');
  await exited;

  for (const [index, stream] of streams.entries()) said[`stream ${index}`] = stream();
  for (const [index, { records, stderr }] of daemons.entries())
    said[`log ${index}`] = `${JSON.stringify(records)} ${stderr()}`;
  for (const [type, bodies] of notifiers.told) said[`sink ${type}`] = bodies.join('\n');
  expect(Object.entries(said).filter(([, text]) => leaks(text))).toEqual([]);
  expect(leakingFiles(workshop).filter((path) => !ALLOWED.test(path))).toEqual([]);
  const { seen, looks } = await stopWatching();
  expect(looks).toBeGreaterThan(100);
  const isGivenIt = (where: string) => /^environ of (?:sh -c sleep|sleep 0\.3|env )/.test(where);
  // What the daemon itself was started with stays in view of its user; see SECURITY.md. Its children get none of it.
  const isDaemon = (where: string) => /^environ of \S*node \S*freshd\.js run /.test(where);
  expect(seen.filter((where) => !isGivenIt(where) && !isDaemon(where))).toEqual([]);
  // The checks see what there is to be seen.
  expect(seen.some(isGivenIt)).toBe(true);
  expect(seen.some(isDaemon)).toBe(true);
  const given = GIVEN.map((name) => workshop.read(`${name}.out`)).join('');
  expect(given).toContain('FRESHD_CREDENTIAL=mail');
  expect(given).not.toMatch(/INHERITED_SECRET|NODE_OPTIONS/);
  expect(leakingFiles(workshop)).toEqual(expect.arrayContaining(['.env', 'store.json', 'state/run/tokens/mail']));
  expect(JSON.stringify(daemons.map(({ records }) => records))).toContain('"debug"');
});
