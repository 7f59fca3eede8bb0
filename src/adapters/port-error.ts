/**
 * System errors in words of ours: one table from errno to a stable code and a remedy.
 *
 * Rule: what is thrown past an adapter is a PortError; the system's own error is kept as its cause.
 */
import { constants } from 'node:os';
import { PortError } from '../daemon/ports.ts';

/**
 * The errno table: what the system said, as a code of ours and something a person can do.
 * @param context `doing` completes "cannot … PATH", for example `write`
 * @returns the error itself when it is a PortError already
 */
export function portErrorFrom(error: unknown, context: { readonly path: string; readonly doing: string }): PortError {
  if (error instanceof PortError) return error;
  const errno = errnoOf(error);
  const known = ERRNO_TABLE.find((row) => row.errnos.includes(errno ?? ''));
  const { code, seen, remedy } = known ?? UNKNOWN_ERRNO;
  return new PortError(`cannot ${context.doing} ${context.path}: ${seen} (${errno ?? 'no errno'}); ${remedy}`, {
    code,
    remedy,
    cause: error,
  });
}

/** The system's name of an error (`ENOSPC`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined;
  // Node has no name for some (`Unknown system error -122`), EDQUOT and ESTALE among them; the system's own table does.
  if (!error.code.startsWith('Unknown system error') || !('errno' in error)) return error.code;
  const { errno } = error;
  return Object.entries(constants.errno).find(([, number]) => number === -Number(errno))?.[0] ?? error.code;
}

/** Did the system say that nothing is there? Whatever else it said leaves that open, and must not be taken for it. */
export function isAbsence(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** Codes of what passes with a trouble of the machine: it says nothing about a file that could not be read. */
export const MACHINE_TROUBLES: ReadonlySet<string> = new Set(['too_many_files', 'io_error', 'mount_lost']);

interface ErrnoRow {
  readonly errnos: readonly string[];
  readonly code: string;
  readonly seen: string;
  readonly remedy: string;
}

const ERRNO_TABLE: readonly ErrnoRow[] = [
  { errnos: ['ENOSPC'], code: 'disk_full', seen: 'the disk is full', remedy: 'free space on that file system' },
  {
    errnos: ['EDQUOT'],
    code: 'quota_exceeded',
    seen: 'the quota is used up',
    remedy: 'free space, or raise the quota',
  },
  {
    errnos: ['EROFS'],
    code: 'read_only_filesystem',
    seen: 'the file system is read-only',
    remedy: 'remount it writable, or add the directory to ReadWritePaths= of the service',
  },
  { errnos: ['EIO'], code: 'io_error', seen: 'the device failed', remedy: 'look for disk errors in the kernel log' },
  {
    errnos: ['ESTALE', 'ETIMEDOUT', 'ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'EREMOTEIO', 'ECONNABORTED', 'ENODEV'],
    code: 'mount_lost',
    seen: 'the file system does not answer',
    remedy: 'see that it is mounted, and that its server is up',
  },
  {
    errnos: ['EACCES', 'EPERM'],
    code: 'permission_denied',
    seen: 'not permitted',
    remedy: 'give the user that runs freshd the right to it, and to keep its owner and group',
  },
  {
    errnos: ['ENOENT', 'ENOTDIR'],
    code: 'directory_missing',
    seen: 'there is no such directory',
    remedy: 'create the directory',
  },
  {
    errnos: ['EMFILE', 'ENFILE'],
    code: 'too_many_files',
    seen: 'too many files are open',
    remedy: 'raise LimitNOFILE= of the service, or `ulimit -n`',
  },
  {
    errnos: ['EBUSY'],
    code: 'bind_mounted',
    seen: 'the file is a mount point and cannot be replaced',
    remedy: 'mount the directory instead of the file, or set "write": "in-place" for it',
  },
  { errnos: ['ELOOP'], code: 'symlink_refused', seen: 'a symbolic link', remedy: 'name the file it points to' },
  { errnos: ['EISDIR', 'ENXIO'], code: 'not_a_regular_file', seen: 'no regular file', remedy: 'name a file' },
];

const UNKNOWN_ERRNO = {
  code: 'write_failed',
  seen: 'the system refused',
  remedy: 'see the system error and the file system it names',
};
