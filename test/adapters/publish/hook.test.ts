import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createHookPublisher } from '../../../src/adapters/publish/hook.ts';
import type { PublisherPort } from '../../../src/daemon/ports.ts';
import { EXPIRES_AT_SECONDS, publication, temporaryDirectory } from './parts.ts';

let directory: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
});

function hook(
  script: string,
  options: { timeoutMs?: number; argv?: [string, ...string[]]; cwd?: string } = {},
): PublisherPort {
  return createHookPublisher({
    argv: options.argv ?? ['/bin/sh', '-c', script],
    cwd: options.cwd ?? directory,
    credential: 'mail',
    position: 2,
    timeoutMs: options.timeoutMs ?? 20_000,
    killGraceMs: 100,
    environment: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
  });
}

const facts = (): Record<string, string> =>
  Object.fromEntries(
    readFileSync(join(directory, 'facts'), 'utf8')
      .split('\0')
      .filter((entry) => entry.startsWith('FRESHD_'))
      .map((entry) => entry.split('=', 2)),
  );

describe('a hook', () => {
  test('learns what happened, in its directory, and nothing of the token or of our environment', async () => {
    process.env.FRESHD_TEST_LEAK = 'x';
    onTestFinished(() => {
      delete process.env.FRESHD_TEST_LEAK;
    });
    const publisher = hook('env -0 > facts');
    await publisher.publish(publication('SECRET', 7));
    expect(readFileSync(join(directory, 'facts'), 'utf8')).not.toContain('SECRET');
    const published = facts();
    await publisher.withdraw();
    expect([published, facts()]).toEqual([
      {
        FRESHD_EVENT: 'published',
        FRESHD_CREDENTIAL: 'mail',
        FRESHD_GENERATION: '7',
        FRESHD_EXPIRES_AT: String(EXPIRES_AT_SECONDS),
      },
      {
        FRESHD_EVENT: 'withdrawn',
        FRESHD_CREDENTIAL: 'mail',
        FRESHD_GENERATION: '7',
        FRESHD_EXPIRES_AT: String(EXPIRES_AT_SECONDS),
      },
    ]);
  });

  test('of a token without a known expiry, or withdrawn after a restart, lacks what nobody knows', async () => {
    const publisher = hook('env -0 > facts');
    await publisher.withdraw();
    expect(facts()).toEqual({ FRESHD_EVENT: 'withdrawn', FRESHD_CREDENTIAL: 'mail' });
    await publisher.publish(publication('abc', 7, { kind: 'never' }));
    expect(facts()).toEqual({ FRESHD_EVENT: 'published', FRESHD_CREDENTIAL: 'mail', FRESHD_GENERATION: '7' });
  });

  test('that fails is an error with its exit status, and without its arguments', async () => {
    const failing = hook('exit 3 # ARGUMENT').publish(publication('abc'));
    await expect(failing).rejects.toMatchObject({
      code: 'hook_failed',
      message: expect.stringContaining('exit status 3'),
    });
    await expect(failing).rejects.not.toMatchObject({ message: expect.stringContaining('ARGUMENT') });
    await expect(hook('kill -9 $$').withdraw()).rejects.toMatchObject({
      code: 'hook_failed',
      message: expect.stringContaining('SIGKILL'),
    });
  });

  test('that cannot be started says so', async () => {
    const code = 'hook_not_startable';
    const missing = join(directory, 'missing');
    await expect(hook('', { argv: [missing] }).publish(publication('abc'))).rejects.toMatchObject({ code });
    await expect(hook('true', { cwd: missing }).publish(publication('abc'))).rejects.toMatchObject({ code });
    writeFileSync(missing, '#!/bin/sh\n', { mode: 0o600 });
    await expect(hook('', { argv: [missing] }).publish(publication('abc'))).rejects.toMatchObject({ code });
  });

  test('that floods its output neither blocks nor fails', async () => {
    await hook('head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2').publish(publication('abc'));
  });

  test('that exceeds its time is ended with its whole group, also those that ignore SIGTERM', async () => {
    const script = `trap '' TERM; sh -c 'trap "" TERM; echo $$ > child; exec sleep 600' & sleep 600`;
    const failing = hook(script, { timeoutMs: 1_500 }).publish(publication('abc'));
    await expect(failing).rejects.toMatchObject({ code: 'hook_timeout' });
    const child = Number(readFileSync(join(directory, 'child'), 'utf8'));
    await gone(child);
  });

  test('F86: that succeeds leaves its background children alone, and does not wait for them', async () => {
    await hook('sh -c "echo \\$\\$ > child; exec sleep 600" & until [ -s child ]; do :; done').publish(
      publication('abc'),
    );
    const child = Number(readFileSync(join(directory, 'child'), 'utf8'));
    onTestFinished(() => void process.kill(child, 'SIGKILL'));
    expect(isAlive(child)).toBe(true);
  });

  test('names itself by program and place, not by arguments', () => {
    expect(hook('echo ARGUMENT').id).toBe('hook:/bin/sh#2');
  });
});

function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

/** SIGKILL was sent; the kernel carries it out when it next schedules the process. */
async function gone(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
}
