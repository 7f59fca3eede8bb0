/**
 * Finds, reads and resolves config.json: everything that is wrong with it at once, or the finished configuration.
 *
 * Rule: the only file of this room that reads process.env; never throws for bad input.
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname } from 'node:path';
import { type Advice, adviseOn } from './advice.ts';
import { complain } from './complaint.ts';
import type { Config } from './config.ts';
import { comparedPaths, findDuplicates } from './duplicates.ts';
import { errnoText, isReadableByOthers, realPathsOf, statOrNull } from './file-facts.ts';
import { parseConfig } from './parse.ts';
import { type Capture, configPlaces } from './paths.ts';
import { findReserved, reservedPaths } from './reserved.ts';
import { resolveConfig } from './resolve.ts';
import { type FileSecret, fileReferences, secretPlaces } from './secrets.ts';
import { findDistrust } from './trust.ts';

/** Ten thousand credentials need a few; more is no configuration. */
const CONFIG_BYTES_MAX = 32 * 1024 * 1024;
const SECRET_BYTES_MAX = 64 * 1024;

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly advice: readonly Advice[] }
  /** Each as `path: expected, got; remedy`. */
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Loads the configuration.
 * @param options `path`: `--config`; `socket`: `--socket`; `capture`: taken once at start, used again by every reload
 */
export async function loadConfig(options: {
  readonly path?: string | undefined;
  readonly socket?: string | undefined;
  readonly capture: Capture;
}): Promise<LoadResult> {
  const { capture } = options;
  const file = await readFirst(configPlaces(options.path, capture));
  if (!file.ok) return { ok: false, problems: [file.problem] };
  const { path, text } = file;
  const distrust = await findDistrust(path, capture);
  if (distrust.length > 0) return { ok: false, problems: distrust };
  const parsed = parseConfig(text);
  if (parsed.raw === null) return { ok: false, problems: parsed.problems.map((problem) => `${path}: ${problem}`) };
  const secrets = await readSecrets(fileReferences(parsed.raw), dirname(path), capture);
  const resolved = resolveConfig(parsed.raw, { path, socket: options.socket, capture, files: secrets.files });
  const { config } = resolved;
  const realPaths = await realPathsOf([...new Set([...comparedPaths(config), ...reservedPaths(config)])]);
  const clashes = [...findDuplicates(config, realPaths), ...findReserved(config, realPaths)];
  const problems = [...parsed.problems, ...resolved.problems, ...clashes];
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, config, advice: [...secrets.advice, ...(await adviseOn(config, { raw: parsed.raw, capture }))] };
}

/** What this process was started with. Call it once: a reload must not see another environment than the start. */
export function captureEnvironment(): Capture {
  return {
    env: { ...process.env },
    home: homedir(),
    cwd: process.cwd(),
    platform: process.platform,
    uid: process.geteuid?.() ?? null,
    machineId: machineId(),
  };
}

/** The name of the host has to do where the system has no id of its own; it only seeds jitter. */
function machineId(): string {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (id !== '') return id;
    } catch (error) {
      if (errnoText(error) === 'an unknown error') throw error;
    }
  }
  return hostname();
}

type ReadResult =
  | { readonly ok: true; readonly path: string; readonly text: string }
  | { readonly ok: false; readonly problem: string };

async function readFirst(places: readonly string[]): Promise<ReadResult> {
  for (const path of places) {
    try {
      const text = await readRegularFile(path, CONFIG_BYTES_MAX);
      if (typeof text === 'string') return { ok: true, path, text };
      return refuse(path, 'a JSON file in UTF-8', text.seen, 'name the right file with --config');
    } catch (error) {
      const code = errnoText(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      return refuse(path, 'a readable file', code, 'correct its mode, or name another file with --config');
    }
  }
  const looked = places.join(', ');
  return refuse('configuration', `a file at ${looked}`, 'none', 'create it, or name one with --config');
}

const refuse = (path: string, expected: string, seen: string, remedy: string): ReadResult => ({
  ok: false,
  problem: `${path}: ${complain({ expected, seen, remedy })}`,
});

/** Anything but a regular file could block for ever, or never end. @throws the system's error */
async function readRegularFile(path: string, bytesMax: number): Promise<string | { readonly seen: string }> {
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

async function readSecrets(
  references: readonly string[],
  directory: string,
  capture: Capture,
): Promise<{ readonly files: ReadonlyMap<string, FileSecret>; readonly advice: readonly Advice[] }> {
  const files = new Map<string, FileSecret>();
  const advice: Advice[] = [];
  for (const reference of references) {
    const [first = reference, second] = secretPlaces(reference, { directory, capture });
    const path = second === undefined || (await statOrNull(first)) !== null ? first : second;
    files.set(reference, await readSecret(path));
    const found = await statOrNull(path);
    if (found !== null && isReadableByOthers(found)) advice.push(readableSecret(path));
  }
  return { files, advice };
}

const readableSecret = (path: string): Advice => ({
  code: 'secret_readable_by_others',
  message: `${path}: ${complain({ expected: 'a secret that only you may read', seen: 'one that others may', remedy: `chmod go-rwx ${path}` })}`,
});

async function readSecret(path: string): Promise<FileSecret> {
  try {
    const text = await readRegularFile(path, SECRET_BYTES_MAX);
    if (typeof text !== 'string') return { ok: false, seen: text.seen, remedy: `put the secret alone into ${path}` };
    // An editor ends the last line; the secret does not end so.
    return { ok: true, value: text.replace(/\r?\n$/, '') };
  } catch (error) {
    return { ok: false, seen: errnoText(error), remedy: `create ${path}, readable by the user that runs freshd` };
  }
}
