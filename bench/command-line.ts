/**
 * What `freshd token` costs a shell script, against the start of Node alone.
 *
 * Rule: from spawn to exit, one of each in turn.
 */
import { spawnSync } from 'node:child_process';
import { createSite, ENVIRONMENT, end, PROGRAM, startDaemon } from './daemon.ts';
import { type Finding, median } from './table.ts';

export async function measureCommandLine(): Promise<readonly Finding[]> {
  const site = createSite({ credentials: 1 });
  const daemon = await startDaemon(site);
  const command = [PROGRAM, 'token', 'c0', '--socket', site.socketPath];
  const [bareMs, tokenMs]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run += 1) {
    bareMs.push(timeRun(['-e', '0'], ''));
    tokenMs.push(timeRun(command, 'bench-'));
  }
  await end(daemon);
  const [bare, token] = [median(bareMs), median(tokenMs)];
  return [
    { what: 'node -e 0', figure: `${bare.toFixed(1)} ms`, ratio: null, ratioMax: null },
    { what: 'freshd token, to node -e 0', figure: `${token.toFixed(1)} ms`, ratio: token / bare, ratioMax: 2 },
  ];
}

function timeRun(argv: readonly string[], expected: string): number {
  const began = performance.now();
  const { status, stdout } = spawnSync(process.execPath, argv, { env: ENVIRONMENT, encoding: 'utf8' });
  const tookMs = performance.now() - began;
  if (status !== 0 || !stdout.startsWith(expected)) throw new Error(`${argv.join(' ')} ended with ${status}`);
  return tookMs;
}

const RUNS = 40;
