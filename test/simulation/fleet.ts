/**
 * Processes that run seeds, several at a time.
 *
 * Rule: freshd is bundled once, and a process runs one seed after the other: what it has compiled for one serves the next.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { bundleFreshd, type Mutation } from './bundle.ts';
import type { Finished, Order } from './worker.ts';

export interface FleetOptions {
  /** The checkout. */
  readonly root: string;
  readonly size: number;
  /** Told of each seed when it has ended, in no order. */
  readonly told: (finished: Finished) => void;
  readonly mutation?: Mutation;
}

/**
 * Runs seeds until there are no more of them.
 * @param orders asked for the next one whenever a process is free, so they can end when somebody has seen enough
 */
export async function runSeeds(orders: Iterator<Order>, { root, size, told, mutation }: FleetOptions): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-simulation-'));
  try {
    const bundle = join(directory, 'bundle.json');
    const worker = join(directory, 'worker.mjs');
    writeFileSync(bundle, JSON.stringify(await bundleFreshd(root, mutation)));
    await bundleWorker(root, worker);
    await Promise.all(Array.from({ length: size }, () => runInOne([worker, bundle], orders, told)));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function bundleWorker(root: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [resolve(root, 'test/simulation/worker.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
}

async function runInOne(
  program: readonly string[],
  orders: Iterator<Order>,
  told: FleetOptions['told'],
): Promise<void> {
  const worker = spawn(process.execPath, [...NODE_OPTIONS, ...program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { TZ: 'UTC' },
  });
  try {
    const ended = endOf(worker);
    const answers = createInterface({ input: worker.stdout })[Symbol.asyncIterator]();
    for (let order = orders.next(); order.done !== true; order = orders.next()) {
      const { seed } = order.value;
      const impatience = setTimeout(() => worker.kill('SIGKILL'), SEED_MS_MAX);
      worker.stdin.write(`${JSON.stringify(order.value)}\n`);
      const answer = await answers.next();
      clearTimeout(impatience);
      if (answer.done === true)
        throw new Error(`npm run simulate -- --seed ${seed} --trace   # ended its process: ${await ended}`);
      told(JSON.parse(answer.value) as Finished);
    }
    worker.stdin.end();
    await ended;
  } finally {
    worker.kill();
  }
}

function endOf(worker: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code, signal) => resolve(`exit ${code ?? signal}`));
  });
}

// A seed takes seconds, on a busy machine half a minute; one that takes this long goes round in a circle at one moment.
const SEED_MS_MAX = 300_000;

// A seed's garbage is young; the usual nursery of 16 MiB would be emptied twenty times a second.
const NODE_OPTIONS: readonly string[] = ['--max-semi-space-size=64'];
