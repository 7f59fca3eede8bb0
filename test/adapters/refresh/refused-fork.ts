/**
 * Runs one refresh in a process that the system allows no further process, and prints the outcome as JSON.
 * Started by spawn-refused.test.ts, as a program of its own: the limit would stop the test runner too.
 */
import { execFileSync } from 'node:child_process';
import { createCommandRefresh } from '../../../src/adapters/refresh/command.ts';

const [script = '', directory = ''] = process.argv.slice(2);
const refresh = createCommandRefresh({
  argv: [script],
  cwd: directory,
  result: 'stdout',
  input: 'none',
  timeoutMs: 10_000,
  killGraceMs: 100,
  rotates: true,
  environment: { PATH: '/usr/bin:/bin' },
  spoolDirectory: `${directory}/spool`,
  log: () => undefined,
});
// Also starts the thread pool, which could not start later.
await refresh.obstacle();
execFileSync('prlimit', [`--pid=${process.pid}`, '--nproc=1:1']);
const request = {
  credential: 'demo',
  attempt: 1,
  reason: 'due',
  runId: 'run-1',
  storePath: null,
  tokens: null,
} as const;
process.stdout.write(JSON.stringify(await refresh.run(request, () => undefined)));
