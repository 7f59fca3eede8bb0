#!/usr/bin/env node
// CommonJS (see package.json beside it): before a module is loaded the thread pool has not begun, and its size can be set.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

// Node has four threads for files and names. A mount that hangs keeps one for each file, and the journal must never wait.
if (commandOf(process.argv.slice(2)) === 'run') process.env.UV_THREADPOOL_SIZE ??= '64';

const program = join(__dirname, '../dist/cli/main.js');
if (existsSync(program)) void import(program).then(({ main }) => main());
else {
  console.error('freshd: not built yet (dist/cli/main.js is missing); run: npm run build');
  process.exitCode = 70;
}

// The first word that is neither a global option nor its value: `freshd exec NAME -- npm run` must not pass this on to npm.
function commandOf(words) {
  let at = 0;
  for (let word = words[at]; word?.startsWith('--'); word = words[at]) at += word.includes('=') ? 1 : 2;
  return words[at];
}
