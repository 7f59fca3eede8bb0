/**
 * Errors of the simulated disk, as Node makes them of what a system call returned.
 *
 * Rule: inside the disk only the name of the error is thrown; call and path are added where the call was made.
 */
import { getSystemErrorMap } from 'node:util';

/** A refused system call, still without its place. */
export class Refused extends Error {
  readonly code: string;

  /** @param code the system's name of the error: `ENOENT` */
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export interface Place {
  readonly syscall: string;
  /** Left out for calls on descriptors. */
  readonly path?: string | undefined;
  readonly destination?: string | undefined;
}

/** @returns what a program sees: `ENOSPC: no space left on device, open '/x'` with `errno`, `code`, `syscall`, `path`, `dest` */
export function systemError(code: string, { syscall, path, destination }: Place): NodeJS.ErrnoException {
  const known = ERRORS.get(code);
  if (known === undefined) throw new Error(`the system has no error ${code}`);
  const at = path === undefined ? '' : ` '${path}'`;
  const to = destination === undefined ? '' : ` -> '${destination}'`;
  const error = new Error(`${code}: ${known.text}, ${syscall}${at}${to}`);
  return Object.assign(error, {
    errno: known.number,
    code,
    syscall,
    ...(path === undefined ? {} : { path }),
    ...(destination === undefined ? {} : { dest: destination }),
  });
}

const ERRORS: ReadonlyMap<string, { readonly number: number; readonly text: string }> = new Map(
  [...getSystemErrorMap()].map(([number, [name, text]]) => [name, { number, text }]),
);
