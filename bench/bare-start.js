/**
 * The floor for a start: reads every store of a folder and writes each token into a file of its own, by temp and rename.
 *
 * Rule: does what a start cannot do without, and no more: no schedule, no memory, no lock, no socket.
 */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const [stores, tokens] = process.argv.slice(2);
await mkdir(tokens);
const names = await readdir(stores);
// As many at once as the daemon does.
for (let from = 0; from < names.length; from += 64) {
  await Promise.all(names.slice(from, from + 64).map(deliver));
}

async function deliver(name) {
  const { access_token } = JSON.parse(await readFile(join(stores, name), 'utf8'));
  const temp = join(tokens, `.${name}`);
  await writeFile(temp, access_token, { mode: 0o600 });
  await rename(temp, join(tokens, name));
}
