import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundleProgram, runInOwnMounts, whyNoOwnMounts } from '../child-program.ts';
import { FIXTURES } from './running-script.ts';

const PROGRAM = `
import { createCommandRefresh } from './adapters/refresh/command.ts';
const [directory, script] = process.argv.slice(2);
const refresh = createCommandRefresh({
  argv: [script], cwd: directory, result: 'stdout', input: 'none', timeoutMs: 10000, killGraceMs: 100, rotates: true,
  environment: { PATH: process.env.PATH }, spoolDirectory: directory + '/spool', log: () => undefined,
});
const request = { credential: 'c', attempt: 1, reason: 'due', runId: 'r', storePath: null, tokens: null };
console.log(JSON.stringify(await refresh.run(request, () => undefined)));
`;

const noMounts = whyNoOwnMounts();

/** Runs the fixture on a file system of its own; `before` is shell that runs on it first. */
async function runOnSmallDisk(script: string, before: string): Promise<unknown> {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-full-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const program = await bundleProgram(directory, PROGRAM);
  const mount = join(directory, 'mount');
  mkdirSync(mount);
  const { stdout, stderr } = runInOwnMounts(
    `mount -t tmpfs -o size=1m none ${mount}; cd ${mount}; ${before}; ${process.execPath} ${program} ${mount} ${FIXTURES}${script}`,
  );
  return JSON.parse(stdout || JSON.stringify(stderr));
}

test('F39: an answer printed after the disk ran full is caught all the same', async (ctx) => {
  if (noMounts !== null) return ctx.skip(noMounts);
  const outcome = await runOnSmallDisk('fills-the-disk.sh', 'true');
  expect(outcome).toMatchObject({ kind: 'response', response: { refresh_token: 'new-refresh-token' } });
});

test('F39: nothing is sent when there is no room for the answer', async (ctx) => {
  if (noMounts !== null) return ctx.skip(noMounts);
  const outcome = await runOnSmallDisk('ok.sh', 'mkdir -m 700 spool; cat /dev/zero > fill || true');
  expect(outcome).toMatchObject({ kind: 'failure', failure: { code: 'spool_failed', unsent: true, doubt: false } });
});
