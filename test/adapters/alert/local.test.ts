import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest';
import { createCommandSink } from '../../../src/adapters/alert/command.ts';
import { createDesktopSink } from '../../../src/adapters/alert/desktop.ts';
import { createLogSink } from '../../../src/adapters/alert/log.ts';
import type { LogPort } from '../../../src/daemon/ports.ts';
import { message } from './message.ts';

const PATIENT_MS = 20_000;
let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'freshd-alert-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

afterEach(() => {
  vi.unstubAllEnvs();
});

async function script(name: string, body: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o700);
  return path;
}

function sink(argv: readonly [string, ...string[]], timeoutMs = PATIENT_MS) {
  return createCommandSink({ argv, cwd: directory, environment: { PATH: '/usr/bin:/bin', ROUTED: 'yes' }, timeoutMs });
}

describe('the command sink', () => {
  test('A8: gives the alert as JSON on standard input, in the given directory and environment', async () => {
    vi.stubEnv('FRESHD_TEST_SECRET', 's3cr3tw0rd');
    const program = await script('keep', 'cat > event.json; env > environment; pwd > cwd');
    await sink([program, '--flag']).send(message());
    const event = JSON.parse(await readFile(join(directory, 'event.json'), 'utf8'));
    expect(event).toMatchObject({ kind: 'reauthorization_required', credential: 'claude', remedy: 'claude /login' });
    const environment = await readFile(join(directory, 'environment'), 'utf8');
    expect(environment).toContain('ROUTED=yes');
    expect(environment).not.toContain('s3cr3tw0rd');
    expect((await readFile(join(directory, 'cwd'), 'utf8')).trim()).toContain('freshd-alert-');
  });

  test('a program that does not read its input, and floods its output, is accepted by its exit status', async () => {
    await sink([await script('deaf', 'exec 0<&-; head -c 3000000 /dev/zero; exit 0')]).send(message());
  });

  test.each([
    ['exit status 3', 'exit 3'],
    ['SIGTERM', 'kill -TERM $$'],
  ])('%s refuses the alert, without the arguments in the error', async (seen, body) => {
    const program = await script('refuse', body);
    await expect(sink([program, 's3cr3tw0rd']).send(message())).rejects.toMatchObject({
      code: 'sink_failed',
      message: `command:refuse: expected exit status 0, got ${seen}`,
      cause: undefined,
    });
  });

  test('a missing program is a refusal, not a crash', async () => {
    await expect(sink([join(directory, 'missing')]).send(message())).rejects.toMatchObject({
      code: 'sink_failed',
      message: 'command:missing: expected exit status 0, got ENOENT',
    });
  });

  test('a program that hangs and ignores SIGTERM is killed with its children at the time limit', async () => {
    const program = await script(
      'hang',
      `trap '' TERM; (trap '' TERM; echo $$ > leader; sleep 1000) & echo $! > child; wait`,
    );
    await expect(sink([program], 2_000).send(message())).rejects.toMatchObject({ code: 'sink_timed_out' });
    for (const file of ['leader', 'child']) {
      const pid = Number(await readFile(join(directory, file), 'utf8'));
      await vi.waitFor(() => expect(isAlive(pid)).toBe(false));
    }
  });

  test('what a successful program left in the background lives on', async () => {
    const program = await script('leave', 'sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > left');
    await sink([program]).send(message());
    const pid = Number(await readFile(join(directory, 'left'), 'utf8'));
    expect(isAlive(pid)).toBe(true);
    process.kill(pid);
  });
});

describe('the desktop sink', () => {
  const headless = { platform: 'linux', environment: {}, timeoutMs: PATIENT_MS } as const;
  const session = { ...headless, environment: { WAYLAND_DISPLAY: 'wayland-0' } } as const;

  test('a headless machine is said in one quiet line', async () => {
    const error = await createDesktopSink(headless)
      .send(message())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'no_desktop_session', remedy: expect.stringContaining('slack') });
    expect((error as Error).stack?.split('\n')).toHaveLength(1);
  });

  test('title and text reach the notifier', async (context) => {
    onLinux(context);
    await script('notify-send', `printf '%s\\n' "$@" > ${directory}/shown; echo 'Gtk-WARNING: chatter' >&2`);
    vi.stubEnv('PATH', directory + delimiter + process.env.PATH);
    await createDesktopSink(session).send(message());
    const shown = await readFile(join(directory, 'shown'), 'utf8');
    expect(shown).toContain('freshd: claude needs you');
    expect(shown).toContain('Do: claude /login');
  });

  test('a notifier that fails refuses the alert', async (context) => {
    onLinux(context);
    await script('notify-send', 'exit 1');
    vi.stubEnv('PATH', directory + delimiter + process.env.PATH);
    const error = await createDesktopSink(session)
      .send(message())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'sink_failed', cause: undefined });
    expect((error as Error).message).not.toContain('/login');
  });

  test('a notifier that never calls back ends at the time limit', async (context) => {
    onLinux(context);
    await script('notify-send', `echo $$ > ${directory}/notifier; exec sleep 1000`);
    vi.stubEnv('PATH', directory + delimiter + process.env.PATH);
    const sending = createDesktopSink({ ...session, timeoutMs: 500 }).send(message());
    await expect(sending).rejects.toMatchObject({ code: 'sink_timed_out' });
    const pid = await vi.waitFor(async () => Number(await readFile(join(directory, 'notifier'), 'utf8')));
    process.kill(pid);
  });
});

describe('the log sink', () => {
  test('every alert is one record; the level says how bad it is', async () => {
    const records: unknown[] = [];
    const log: LogPort = { write: (level, event, fields) => records.push([level, event, fields]) };
    await createLogSink(log).send(message());
    await createLogSink(log).send(message({ kind: 'restored', code: null }));
    expect(records).toEqual([
      [
        'error',
        'alert',
        expect.objectContaining({ credential: 'claude', kind: 'reauthorization_required', remedy: 'claude /login' }),
      ],
      ['info', 'alert', expect.objectContaining({ kind: 'restored', remedy: null })],
    ]);
  });
});

/** A zombie that nobody has waited for yet is dead. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

function onLinux(context: TestContext): void {
  if (process.platform !== 'linux') context.skip('notify-send is what Linux desktops have');
}
