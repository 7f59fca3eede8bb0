/**
 * Programs for tests that need a process of their own: to kill it, to trace it, or to run it in other mounts.
 *
 * Rule: the program is TypeScript that imports from src; it is bundled, because Node 20 cannot run it as it is.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';

/** @returns the path of a program in `directory` that Node runs */
export async function bundleProgram(directory: string, source: string): Promise<string> {
  const outfile = join(directory, 'program.mjs');
  await build({
    stdin: { contents: source, resolveDir: resolve('src'), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Packages in the older module format expect to find it.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  return outfile;
}

/** Runs a shell script as root of mounts of its own: what it mounts is seen by nobody else and ends with it. */
export function runInOwnMounts(script: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('unshare', ['-m', 'sh', '-euc', script], { encoding: 'utf8', timeout: 20_000 });
}

/** @returns the reason why {@link runInOwnMounts} cannot work here, or null */
export function whyNoOwnMounts(): string | null {
  const tried = spawnSync('unshare', ['-m', 'sh', '-euc', 'mount -t tmpfs none /mnt'], { encoding: 'utf8' });
  if (tried.error !== undefined) return `unshare cannot be run: ${tried.error.message}`;
  return tried.status === 0 ? null : `no mounts of our own: ${tried.stderr.trim()}`;
}

/** Starts a program and waits for its first line. */
export async function startProgram(
  program: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const { value } = await lines[Symbol.asyncIterator]().next();
  return { child, line: String(value) };
}
