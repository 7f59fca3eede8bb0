/**
 * What `freshd token` costs the programs that call it, in each format, against the start of Node alone.
 *
 * Rule: from spawn to exit, one of each in turn.
 */
import { spawnSync } from 'node:child_process';
import { createSite, ENVIRONMENT, end, PROGRAM, startDaemon } from './daemon.ts';
import { type Finding, median } from './table.ts';

interface Helper {
  readonly what: string;
  /** After `token c0`. */
  readonly argv: readonly string[];
  readonly input?: string;
  /** Standard output begins with this. */
  readonly expected: string;
}

/** Those of `aws` and `gcloud` take other tokens, and do no more work than these. */
const HELPERS: readonly Helper[] = [
  { what: 'freshd token', argv: [], expected: 'bench-' },
  { what: '  --format header', argv: ['--format', 'header'], expected: 'Authorization: Bearer bench-' },
  { what: '  --format json', argv: ['--format', 'json'], expected: '{"credential"' },
  { what: '  --format kubectl', argv: ['--format', 'kubectl'], expected: '{"apiVersion"' },
  {
    what: '  --format git',
    argv: ['--format', 'git', 'get'],
    input: 'protocol=https\nhost=git.example.com\n',
    expected: 'username=oauth2\npassword=bench-',
  },
  {
    what: '  --format docker',
    argv: ['--format', 'docker', '--user', 'me', 'get'],
    input: 'registry.example.com',
    expected: '{"ServerURL"',
  },
  { what: '  --format xoauth2', argv: ['--format', 'xoauth2', '--user', 'me'], expected: 'dXNlcj1tZ' },
  { what: '  --format env (two questions)', argv: ['--format', 'env'], expected: 'export C0_TOKEN=' },
];

export async function measureCommandLine(): Promise<readonly Finding[]> {
  const site = createSite({ credentials: 1 });
  const daemon = await startDaemon(site);
  const bareMs: number[] = [];
  const helpers = HELPERS.map((helper) => ({ ...helper, tookMs: [] as number[] }));
  for (let run = 0; run < RUNS; run += 1) {
    bareMs.push(timeRun(['-e', '0'], { expected: '' }));
    for (const { argv, tookMs, ...others } of helpers) {
      tookMs.push(timeRun([PROGRAM, 'token', 'c0', '--socket', site.socketPath, ...argv], others));
    }
  }
  await end(daemon);
  const bare = median(bareMs);
  return [
    { what: 'node -e 0', figure: `${bare.toFixed(1)} ms`, ratio: null, ratioMax: null },
    ...helpers.map(({ what, tookMs }) => {
      const took = median(tookMs);
      return { what: `${what}, to node -e 0`, figure: `${took.toFixed(1)} ms`, ratio: took / bare, ratioMax: 2 };
    }),
  ];
}

function timeRun(argv: readonly string[], { input = '', expected }: { input?: string; expected: string }): number {
  const began = performance.now();
  const { status, stdout } = spawnSync(process.execPath, argv, { env: ENVIRONMENT, encoding: 'utf8', input });
  const tookMs = performance.now() - began;
  if (status !== 0 || !stdout.startsWith(expected)) throw new Error(`${argv.join(' ')} ended with ${status}`);
  return tookMs;
}

const RUNS = 40;
