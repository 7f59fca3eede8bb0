/**
 * Writes every generated document (`npm run docs`). Which there are is in documents.ts.
 */
import { writeFileSync } from 'node:fs';
import { generateAll } from './documents.ts';

for (const [path, content] of generateAll()) {
  writeFileSync(path, content);
  process.stdout.write(`${path}\n`);
}
