/**
 * Spools: the files that take a script's output. A pipe would be held open by any process that the script leaves behind.
 *
 * Rule: 0600, named by run id and owner, read only up to a limit, removed when the run is over.
 */
import { readdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../port-error.ts';
import { ensurePrivateDirectory } from '../private-directory.ts';
import { startTimeOf } from './process-table.ts';
import { reserveSpace } from './reserve.ts';

export interface Spool {
  /** Descriptors for the child. */
  readonly stdin: number | null;
  readonly stdout: number;
  readonly stderr: number;
  /** Keeps what is on disk bounded. @returns true when stdout has outgrown its limit, now or before */
  outgrown(): Promise<boolean>;
  readStdout(): Promise<Buffer>;
  /** The last whole lines. */
  readStderr(): Promise<string>;
  /** Gives the descriptors back; the files stay. */
  close(): Promise<void>;
  /** Closes too. */
  remove(): Promise<void>;
}

export const STDOUT_BYTES_MAX = 1024 * 1024;
const STDERR_BYTES_KEPT = 16 * 1024;

/**
 * Opens the spools of one run.
 * @param options.runId names the files, so that what a dead daemon's script printed can be found by its journal entry
 * @param options.input what the script reads on stdin; it is on disk only as long as it takes to remove its name
 * @throws PortError, or the system's error, when the directory cannot be used
 */
export async function openSpool(options: {
  readonly directory: string;
  readonly runId: string;
  readonly input: string | null;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<Spool> {
  await ensurePrivateDirectory(options.directory);
  const stem = join(options.directory, `${encodeURIComponent(options.runId)}.${ownerMark(process.pid)}`);
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => {
    for (const handle of handles.splice(0)) await handle.close();
  };
  const remove = async (): Promise<void> => {
    await close();
    for (const kind of KINDS) await rm(`${stem}.${kind}`, { force: true });
  };
  try {
    const stdin = options.input === null ? null : await openInput(`${stem}.stdin`, options.input);
    if (stdin !== null) handles.push(stdin);
    // Append: what the script writes after we cut the file back goes to its new end.
    const stdout = await open(`${stem}.stdout`, 'ax+', 0o600);
    handles.push(stdout);
    await reserveSpace(`${stem}.stdout`, options.environment);
    const stderr = await open(`${stem}.stderr`, 'ax+', 0o600);
    handles.push(stderr);
    return { ...reader(stdout, stderr), stdin: stdin?.fd ?? null, stdout: stdout.fd, stderr: stderr.fd, close, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Removes the spools that daemons before this one left in `directory`. Open journal entries are reconciled from them before.
 * @returns how many files were removed
 */
export function sweepStaleSpools(directory: string): number {
  let removed = 0;
  for (const name of namesIn(directory)) {
    const owner = SPOOL_NAME.exec(name);
    if (owner === null || ownerMark(Number(owner[2])) === owner[1]) continue;
    rmSync(join(directory, name), { force: true });
    removed += 1;
  }
  return removed;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Written and removed before the script starts: it lives on in the descriptor alone. A pipe would do, but /dev/stdin cannot open Node's. */
async function openInput(path: string, input: string): Promise<FileHandle> {
  const handle = await open(path, 'wx+', 0o600);
  try {
    await rm(path);
    const bytes = Buffer.from(input);
    // By position: the descriptor's own offset, which the script inherits, stays at the start.
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function reader(stdout: FileHandle, stderr: FileHandle): Pick<Spool, 'outgrown' | 'readStdout' | 'readStderr'> {
  let stdoutOutgrown = false;
  let stderrCut = false;
  return {
    async outgrown() {
      if ((await stdout.stat()).size > STDOUT_BYTES_MAX) {
        stdoutOutgrown = true;
        await stdout.truncate(0);
      }
      if ((await stderr.stat()).size > STDERR_BYTES_ON_DISK) {
        stderrCut = true;
        await stderr.truncate(0);
      }
      return stdoutOutgrown;
    },
    async readStdout() {
      return readFrom(stdout, 0, STDOUT_BYTES_MAX);
    },
    async readStderr() {
      const from = Math.max(0, (await stderr.stat()).size - STDERR_BYTES_KEPT);
      const text = (await readFrom(stderr, from, STDERR_BYTES_KEPT)).toString('utf8');
      return from > 0 || stderrCut ? withoutFirstLine(text) : text;
    },
  };
}

/** It may be the rest of a line, and that the rest of a secret which nothing would recognise; also where it is all there is. */
function withoutFirstLine(text: string): string {
  const end = text.indexOf('\n');
  return end === -1 ? '' : text.slice(end + 1);
}

async function readFrom(handle: FileHandle, from: number, bytesMax: number): Promise<Buffer> {
  const size = Math.min(bytesMax, Math.max(0, (await handle.stat()).size - from));
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(buffer, length, size - length, from + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** Pid and start time: after a restart the same pid may be another one's, and in a container it is. */
function ownerMark(pid: number): string {
  return `${pid}-${startTimeOf(pid)?.replace(/\W+/g, '_') ?? 'gone'}`;
}

const KINDS = ['stdin', 'stdout', 'stderr'] as const;
const SPOOL_NAME = /\.((\d+)-\w+)\.(?:stdin|stdout|stderr)$/;

// A script with `set -x` may say much before it says what went wrong; only a runaway one says this much.
const STDERR_BYTES_ON_DISK = 4 * 1024 * 1024;
