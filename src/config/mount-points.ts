/**
 * What is mounted by itself: such a file cannot be replaced by a rename (EBUSY), which is how a `.env` is written.
 *
 * Rule: Linux only; elsewhere, and where the table cannot be read, nothing is known and nothing is said.
 */
import { readFile } from 'node:fs/promises';
import { errnoText } from './file-facts.ts';

export async function readMountPoints(platform: NodeJS.Platform): Promise<ReadonlySet<string>> {
  if (platform !== 'linux') return new Set();
  try {
    return parseMountPoints(await readFile('/proc/self/mountinfo', 'utf8'));
  } catch (error) {
    if (errnoText(error) === 'an unknown error') throw error;
    return new Set();
  }
}

/** @see proc_pid_mountinfo(5): the fifth field, with space, tab, newline and backslash in octal */
function parseMountPoints(table: string): ReadonlySet<string> {
  const points = table.split('\n').map((line) => line.split(' ')[4] ?? '');
  const plain = (text: string): string =>
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return new Set(points.filter((point) => point !== '').map(plain));
}
