/**
 * Programs of users, in processes of their own: each sends jobs to a resource server through the gate of the client library.
 *
 * Rule: they run what is packed, and say one line for each thing that happens; who judges them reads the lines.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { eventually } from './arrange.ts';
import type { Workshop } from './workshop.ts';

export interface WorkerPool {
  /** Jobs that were answered by a 200. */
  readonly done: () => number;
  /** What became of all others: a status, or the code of an error. */
  readonly failed: readonly string[];
  /** So many more jobs than now. */
  more(jobs: number): Promise<void>;
  /** Lets what has begun end, and waits for all processes. */
  stop(): Promise<void>;
}

export interface WorkerPoolOptions {
  readonly workers: number;
  /** Of a credential or a chain. */
  readonly name: string;
  readonly url: string;
}

export async function startWorkers(workshop: Workshop, { workers, name, url }: WorkerPoolOptions): Promise<WorkerPool> {
  const failed: string[] = [];
  let done = 0;
  const look = (line: string) => {
    if (line === '200') done += 1;
    else failed.push(line);
  };
  const pool = Array.from({ length: workers }, (_, n) => {
    const argv = ['--input-type=module', '-e', PROGRAM, workshop.path('freshd.sock'), name, url, `worker-${n}`];
    const child = spawn(process.execPath, argv, { cwd: workshop.directory, stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    createInterface({ input: child.stdout }).on('line', look);
    return { child, exit: once(child, 'exit') };
  });
  const more = async (jobs: number) => {
    const enough = done + jobs;
    await eventually(() => done >= enough);
  };
  await more(workers * LANES);
  return {
    done: () => done,
    failed,
    more,
    async stop() {
      for (const { child } of pool) child.stdin.end();
      for (const [code] of await Promise.all(pool.map(({ exit }) => exit))) if (code !== 0) failed.push(`exit ${code}`);
    },
  };
}

/** Jobs of one worker at a time. */
export const LANES = 4;

const PROGRAM = `
  import { connect } from ${JSON.stringify(resolve('dist/index.js'))};
  const [socketPath, name, url, consumer] = process.argv.slice(1);
  let isOver = false;
  process.stdin.on('end', () => { isOver = true; }).resume();
  const client = await connect({ socketPath, consumer });
  const gate = client.gate(name, { concurrency: ${LANES} });
  const job = async (fetch) => {
    const response = await fetch(url);
    await response.text();
    return response.status;
  };
  const lane = async () => {
    while (!isOver) {
      console.log(await gate.run(job).catch(({ code, message }) => code ?? message));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all(Array.from({ length: ${LANES} }, lane));
  client.close();
`;
