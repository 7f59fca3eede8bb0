/**
 * A process that runs seeds: `node worker.mjs BUNDLE`, then one JSON line per order on stdin, one per result on stdout.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Bundle } from './bundle.ts';
import { loadBundle } from './load-bundle.ts';
import { runSeed, type SeedResult } from './run-seed.ts';

export interface Order {
  readonly seed: number;
  readonly days: number;
  readonly trace: boolean;
}

export interface Finished extends SeedResult {
  readonly cpuMs: number;
}

const [, , path = ''] = process.argv;
const bundle = loadBundle(JSON.parse(readFileSync(path, 'utf8')) as Bundle);

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, days, trace } = JSON.parse(line) as Order;
  const print = trace ? (text: string): void => void process.stderr.write(`${text}\n`) : null;
  // Whoever only asks whether a file is there needs no stack, and a seed asks ten thousand times.
  Error.stackTraceLimit = trace ? 20 : 0;
  const before = process.cpuUsage();
  const result = await runSeed(seed, bundle, { days, print });
  const finished: Finished = { ...result, cpuMs: cpuMsSince(before) };
  process.stdout.write(`${JSON.stringify(finished)}\n`);
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / 1000);
}
