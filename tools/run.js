// Runs a TypeScript tool on a Node that cannot strip types: bundles it beside the packages it imports, then imports it.
import { mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [entry] = process.argv.splice(2, 1);
if (entry === undefined) throw new Error('usage: node tools/run.js FILE.ts [ARGS]');
const outputDirectory = resolve('node_modules/.cache/freshd-tools');
mkdirSync(outputDirectory, { recursive: true });
const output = join(outputDirectory, basename(entry).replace(/\.ts$/, '.mjs'));
await build({
  entryPoints: [entry],
  outfile: output,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
});
await import(pathToFileURL(output).href);
