import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { captureEnvironment, loadConfig } from '../../src/config/load.ts';
import { privateFolder } from './arrange.ts';

test('the configuration that is shipped is sound', async () => {
  const folder = privateFolder();
  writeFileSync(`${folder}/config.json`, readFileSync('config.json'), { mode: 0o600 });
  const capture = { ...captureEnvironment(), env: { FRESHD_DEMO_TOKEN_ENDPOINT: 'http://127.0.0.1:1/token' } };
  const result = await loadConfig({ path: `${folder}/config.json`, capture });
  if (!result.ok) throw new Error(result.problems.join('\n'));
  expect(result.config.credentials).toMatchObject([{ name: 'demo', policy: { method: 'script', rotates: true } }]);
  expect(result.advice.map(({ code }) => code).filter((code) => code !== 'program_missing')).toEqual([]);
});
