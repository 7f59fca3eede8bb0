import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleProgram } from '../adapters/child-program.ts';
import { fromFile, privateFolder } from './arrange.ts';

/** Loads the configuration, and its secrets anew, each with no file left to open. */
const PROGRAM = `
  import { closeSync, openSync } from 'node:fs';
  import { loadConfig } from './config/load.ts';

  const capture = { env: {}, home: '/nowhere', cwd: '/', platform: 'linux', uid: process.geteuid(), machineId: 'm' };
  const [, , path] = process.argv;
  const withNoFileLeft = async (read) => {
    const taken = [];
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
    const result = await read();
    for (const descriptor of taken) closeSync(descriptor);
    return result;
  };
  const load = () => loadConfig({ path, capture });
  const { secrets } = await load();
  const results = [await withNoFileLeft(load), await withNoFileLeft(secrets.reload), await load()];
  console.log(JSON.stringify(results.map(({ ok, kind, problems }) => ({ ok, kind, problems }))));
`;

test('a system that has no file left to open is no fault of the configuration, nor of a secret', async () => {
  const folder = privateFolder();
  writeFileSync(join(folder, 'key'), 'k', { mode: 0o600 });
  const path = join(folder, 'config.json');
  writeFileSync(path, JSON.stringify({ credentials: { a: { static: fromFile('key') } } }), { mode: 0o600 });
  const program = await bundleProgram(folder, PROGRAM);
  const command = ['ulimit -n 100; exec "$0" "$@"', process.execPath, program, path];
  const { stdout, stderr } = spawnSync('sh', ['-c', ...command], { encoding: 'utf8', timeout: 30_000 });
  expect(stderr).toBe('');
  const remedy = 'free memory, or raise the limit of open files (`ulimit -n`, LimitNOFILE= of a service)';
  const refused = (file: string) => ({
    ok: false,
    kind: 'system',
    problems: [`${file}: expected to be able to read it, got EMFILE; ${remedy}`],
  });
  expect(JSON.parse(stdout)).toEqual([refused(path), refused(join(folder, 'key')), { ok: true }]);
});
