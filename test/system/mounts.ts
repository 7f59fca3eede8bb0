/**
 * Mounts that only a test and its daemons see: small, full, read-only, over a single file.
 *
 * Rule: a process of our own holds them, so that they outlive a daemon; they end with the test. Needs root, or says why not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { whyNoOwnMounts } from '../adapters/child-program.ts';
import type { RunningDaemon, Workshop } from './workshop.ts';

export interface Mounts {
  /** What that name of the workshop is in there. */
  path(name: string): string;
  /** A shell script in there, in the workshop's folder. @returns what it printed @throws when it fails */
  run(script: string): string;
  /** A daemon that sees these mounts. */
  start(): RunningDaemon;
}

export const noMounts =
  whyNoOwnMounts() ?? (spawnSync('nsenter', ['-V']).status === 0 ? null : 'nsenter cannot be run');

/** @param script mounts what is wanted, in the workshop's folder */
export async function createMounts(workshop: Workshop, script: string): Promise<Mounts> {
  const { directory } = workshop;
  const setUp = `cd "$0"; ${script}\necho mounted; exec sleep 600`;
  const holder = spawn('unshare', ['-m', 'sh', '-euc', setUp, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(holder, 'exit');
  onTestFinished(async () => {
    holder.kill('SIGKILL');
    await ended;
  });
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(([code]) => Promise.reject(new Error(`mounting ended with ${code}`))),
  ]);
  const enter = ['-m', '-t', String(holder.pid), 'sh', '-euc'];
  return {
    path: (name) => `/proc/${holder.pid}/root${workshop.path(name)}`,
    run(script) {
      const argv = [...enter, `cd "$0"; ${script}`, directory];
      const { status, stdout, stderr } = spawnSync('nsenter', argv, { encoding: 'utf8', timeout: 20_000 });
      if (status !== 0) throw new Error(`${script}: ${stderr}`);
      return stdout;
    },
    start: () => workshop.startThrough(['nsenter', ...enter, 'cd "$0"; exec "$@"', directory]),
  };
}

const FAILING_DISK = resolve('test/fixtures/failing-disk.js');

/**
 * Mounts a file system of which every such operation fails as long as the file `failing` is in the workshop.
 * @param errno by its number
 */
export const mountFailing = (folder: string, operation: 'write' | 'fsync', errno: number): string =>
  `exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 disk ${folder}
${process.execPath} ${FAILING_DISK} ${operation} ${errno} "$PWD/failing" > failing-disk.out 2>&1 & exec 3>&-`;

/** Linux has it, or says why not. */
export const noFuse = noMounts ?? (existsSync('/dev/fuse') ? null : 'there is no /dev/fuse');

/** Leaves no byte free on the file system of that folder. */
export const fill = (folder: string): string => `cat /dev/zero > ${folder}/fill 2>/dev/null || true`;
