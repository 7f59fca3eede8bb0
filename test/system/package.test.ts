/** The package as its users get it: what it exports, and its types, seen from a program of another project. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const PROGRAM = `
import { connect, FreshdError, type Client, type Gate, type Token } from 'freshd';

const use = async (): Promise<string> => {
  const client: Client = await connect({ socketPath: '/nonexistent/freshd.sock' });
  const token: Token = client.token('claude');
  const gate: Gate = client.gate('claude', { concurrency: 2 });
  const stop: () => void = client.on('token', ({ generation }) => console.log(generation.toFixed()));
  const response: Response = await gate.run((fetch) => fetch('https://localhost/', { method: 'POST' }));
  stop();
  return token.accessToken + response.status;
};
use().catch((error: unknown) => console.log(error instanceof FreshdError ? error.code : error));
`;

test('another project imports the library with its types, and runs it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-package-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(resolve('.'), join(directory, 'node_modules/freshd'));
  symlinkSync(resolve('node_modules/@types'), join(directory, 'node_modules/@types'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  writeFileSync(join(directory, 'program.ts'), PROGRAM);
  const options = ['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,dom', '--types', 'node', '--strict'];
  const tsc = [resolve('node_modules/typescript/bin/tsc'), ...options, 'program.ts'];
  const run = (argv: readonly string[]) => execFileSync(process.execPath, argv, { cwd: directory, encoding: 'utf8' });
  expect(run(tsc)).toBe('');
  expect(run(['program.js'])).toBe('no_daemon\n');
});

test('nothing of the daemon is loaded with the library', () => {
  const names = `import { createRequire, register } from 'node:module';
    await import(process.argv[1]);
    console.log(Object.keys(createRequire(import.meta.url).cache).length);`;
  const argv = ['--input-type=module', '-e', names, resolve('dist/index.js')];
  expect(execFileSync(process.execPath, argv, { encoding: 'utf8' })).toBe('0\n');
});
