/**
 * Reads what a person writes by hand: one regular file of text, whole.
 *
 * Rule: anything else is said, not read; it could block for ever, or never end.
 */
import { open } from 'node:fs/promises';
import { statOrNull } from './file-facts.ts';

/**
 * @returns its text, or what else is there
 * @throws the system's error
 */
export async function readRegularFile(path: string, bytesMax: number): Promise<string | { readonly seen: string }> {
  const found = await statOrNull(path);
  if (found !== null && !found.isFile()) return { seen: found.isDirectory() ? 'a folder' : 'a device or pipe' };
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (size > bytesMax) return { seen: `${size} bytes, more than ${bytesMax}` };
    const bytes = await handle.readFile();
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return { seen: 'bytes that are not UTF-8' };
    throw error;
  } finally {
    await handle.close();
  }
}

/** Null for an errno that says something about the file; else what helps, because nothing was left to open any file with. */
export const remedyOfRefusal = (errno: string): string | null =>
  REFUSALS.has(errno) ? 'free memory, or raise the limit of open files (`ulimit -n`, LimitNOFILE= of a service)' : null;

const REFUSALS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);
