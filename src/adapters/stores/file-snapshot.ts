/**
 * One look at a store file: its bytes as they were at one moment, and a signature that tells a later look apart.
 *
 * Rule: never hangs on what is no file, never reads more than 1 MiB, and never believes bytes that changed under the read.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type EpochMs, epochMs } from '../../core/token.ts';
import { errnoOf, MACHINE_TROUBLES, portErrorFrom } from '../port-error.ts';

export type Snapshot =
  | {
      readonly kind: 'content';
      readonly bytes: Buffer;
      readonly signature: string;
      readonly modifiedAt: EpochMs;
      /** The later of modification and change of the inode. */
      readonly changedAt: EpochMs;
    }
  | { readonly kind: 'missing'; readonly detail: string }
  /** Written while it was read. */
  | { readonly kind: 'torn' }
  | { readonly kind: 'unreadable'; readonly detail: string };

/**
 * Reads the file at `path`, symlinks followed.
 * @throws PortError of `MACHINE_TROUBLES`: troubles of the machine, which say nothing about the store
 */
export async function takeSnapshot(path: string): Promise<Snapshot> {
  const leave = await enter();
  try {
    // O_NONBLOCK: opening a FIFO must not wait for somebody at its other end.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readHandle(path, handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { kind: 'missing', detail: `there is no file ${path}` };
    const known = portErrorFrom(error, { path, doing: 'read' });
    if (MACHINE_TROUBLES.has(known.code)) throw known;
    return { kind: 'unreadable', detail: known.message };
  } finally {
    leave();
  }
}

/** @returns null when nothing can be said */
export async function signatureAt(path: string): Promise<string | null> {
  try {
    return signatureOf(await stat(path, { bigint: true }));
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? MISSING_SIGNATURE : null;
  }
}

/** What is legal but unwise about a store file; for people. */
export async function storeWarnings(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(() => null);
  if (found === null || process.platform === 'win32') return [];
  const others = [
    { bits: 0o044, may: 'read' },
    { bits: 0o022, may: 'write' },
  ].filter(({ bits }) => (found.mode & bits) !== 0);
  if (others.length === 0) return [];
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
  const may = others.map((other) => other.may).join(' and ');
  return [`${path}: expected mode 0600, found ${mode}: others may ${may} the tokens in it; \`chmod 600 ${path}\``];
}

async function readHandle(path: string, handle: FileHandle): Promise<Snapshot> {
  const before = await handle.stat({ bigint: true });
  const refusal = refuseFile(path, before);
  if (refusal !== null) return { kind: 'unreadable', detail: refusal };
  // One byte more than it should have, to see that it grew.
  const bytes = Buffer.alloc(Number(before.size) + 1);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  const after = await handle.stat({ bigint: true });
  const signature = signatureOf(before);
  if (length !== Number(before.size) || signatureOf(after) !== signature) return { kind: 'torn' };
  return {
    kind: 'content',
    bytes: bytes.subarray(0, length),
    signature,
    modifiedAt: epochMs(Number(before.mtimeMs)),
    changedAt: epochMs(Math.max(Number(before.mtimeMs), Number(before.ctimeMs))),
  };
}

function refuseFile(path: string, found: BigIntStats): string | null {
  if (!found.isFile()) return `${path}: expected a regular file, found something else; name a file`;
  const ourUid = process.geteuid?.();
  const owner = Number(found.uid);
  if (ourUid !== undefined && ourUid !== 0 && owner !== ourUid && owner !== 0) {
    // Whoever owns it can exchange the tokens in it.
    return `${path}: wrong owner: expected uid ${ourUid} or root, found uid ${owner}; \`chown ${ourUid} ${path}\`, or run freshd as its owner`;
  }
  if (found.size > SIZE_MAX) {
    return `${path}: expected at most ${SIZE_MAX} bytes, found ${found.size}; name the file that holds the tokens`;
  }
  return null;
}

function signatureOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/** Waits for a place among the open files. @returns how to leave it */
async function enter(): Promise<() => void> {
  if (openCount >= OPEN_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
  else openCount += 1;
  return () => {
    const next = waiting.shift();
    // The place is handed on, or given back.
    if (next === undefined) openCount -= 1;
    else next();
  };
}

/** The signature of a path where nothing is. */
export const MISSING_SIGNATURE = 'missing';

/** Far above any credential file; a mistaken path must not fill the memory. */
const SIZE_MAX = 1024 * 1024;

// Ten thousand credentials are loaded at once at start, and the usual limit is 1,024 descriptors for everything.
const OPEN_MAX = 64;
let openCount = 0;
const waiting: (() => void)[] = [];
