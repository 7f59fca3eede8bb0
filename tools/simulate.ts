/**
 * Runs the simulation beyond its test: seeds for so many minutes, or one seed again.
 *
 * Rule: a failure is one line, and that line says how to see it again. Exit code 0: all seeds held, 1: some failed, 64: usage.
 */
import { parseArgs } from 'node:util';
import { runSeeds } from '../test/simulation/fleet.ts';
import { replayLine, Tally } from '../test/simulation/tally.ts';
import type { Finished, Order } from '../test/simulation/worker.ts';

/** @returns the exit code */
async function main(): Promise<number> {
  const wish = readWish(process.argv.slice(2));
  if (typeof wish !== 'string') return (await simulate(wish)) ? 0 : 1;
  process.stderr.write(`${wish}\n`);
  return 64;
}

interface Wish {
  readonly orders: Iterator<Order>;
  readonly size: number;
}

/** @returns how it is to be called, where it was called otherwise */
function readWish(args: readonly string[]): Wish | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      from: { type: 'string', default: String(FIRST_SEED) },
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
    },
  });
  const { minutes, from, seed, trace } = values;
  const numbers = [minutes ?? seed, from].map(Number);
  if ((minutes === undefined) === (seed === undefined) || !numbers.every((number) => number >= 0)) return USAGE;
  if (seed !== undefined) return { orders: [{ seed: Number(seed), days: DAYS, trace }].values(), size: 1 };
  return { orders: seedsUntil(Date.now() + Number(minutes) * 60_000, Number(from)), size: PROCESSES };
}

function* seedsUntil(endsAt: number, from: number): Generator<Order> {
  for (let seed = from; Date.now() < endsAt; seed += 1) yield { seed, days: DAYS, trace: false };
}

/** @returns whether all held */
async function simulate({ orders, size }: Wish): Promise<boolean> {
  const tally = new Tally();
  const told = (finished: Finished): void => {
    tally.add(finished);
    const line = replayLine(finished);
    if (line !== null) process.stdout.write(`${line}\n`);
    else if (tally.seeds % SEEDS_A_LINE === 0) process.stdout.write(`${tally}\n`);
  };
  await runSeeds(orders, { root: process.cwd(), size, told });
  process.stdout.write(`${tally}\n${tally.coverage()}\n`);
  return tally.failed === 0;
}

const USAGE = `usage: npm run simulate -- --minutes N [--from SEED]   other seeds, from SEED on
       npm run simulate -- --seed N [--trace]          one seed again, with all that happens in it on stderr`;

const DAYS = 2;
const PROCESSES = 2;
const SEEDS_A_LINE = 50;

// Beyond those that the test runs each time.
const FIRST_SEED = 100_000;

process.exitCode = await main();
