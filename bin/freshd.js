#!/usr/bin/env node
import { existsSync } from 'node:fs';

const program = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(program)) await import(program.href).then(({ main }) => main());
else {
  console.error('freshd: not built yet (dist/cli/main.js is missing); run: npm run build');
  process.exitCode = 70;
}
