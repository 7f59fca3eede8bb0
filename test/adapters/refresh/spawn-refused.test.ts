import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { FIXTURES } from './running-script.ts';

// Nobody's processes are counted together with ours; root's are not limited at all.
const NOBODY = 65_534;

test('F31: when the system refuses another process the attempt is transient and unsent, and the daemon lives', (context) => {
  if (spawnSync('prlimit', ['--version']).status !== 0) context.skip('prlimit (util-linux) is not installed');
  const isRoot = process.getuid?.() === 0;
  const directory = mkdtempSync(join(tmpdir(), 'freshd-fork-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const script = join(directory, 'ok.sh');
  const program = join(directory, 'refused-fork.mjs');
  cpSync(join(FIXTURES, 'ok.sh'), script);
  buildSync({
    entryPoints: [fileURLToPath(new URL('refused-fork.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  if (isRoot) chownSync(directory, NOBODY, NOBODY);
  chmodSync(directory, 0o755);

  const ran = spawnSync(process.execPath, [program, script, directory], {
    encoding: 'utf8',
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  if (ran.error !== undefined) context.skip(`cannot run as another user here: ${ran.error.message}`);
  expect(ran.stderr).toBe('');
  expect(JSON.parse(ran.stdout)).toMatchObject({
    kind: 'failure',
    failure: {
      class: 'transient',
      code: 'spawn_failed',
      unsent: true,
      doubt: false,
      detail: expect.stringContaining('EAGAIN'),
    },
  });
});
