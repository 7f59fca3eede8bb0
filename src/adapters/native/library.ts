/**
 * What the native calls of all platforms share: the C library, addresses of Unix sockets, and what a failed call says.
 *
 * Rule: buffers go in and out as bytes laid out here by hand; nothing of koffi is seen outside this folder.
 */
import os from 'node:os';
import { PortError } from '../../daemon/ports.ts';

export type Koffi = typeof import('koffi');

/** One function of the C library; a number comes back, buffers are filled in place. */
export type NativeCall = (...args: readonly (number | bigint | Uint8Array | null)[]) => number;

/** Declares functions by their prototypes in C. @throws when the library lacks one */
export function declare<Name extends string>(
  koffi: Koffi,
  prototypes: Readonly<Record<Name, string>>,
): Readonly<Record<Name, NativeCall>> {
  const library = koffi.load(null);
  const entries = Object.entries<string>(prototypes).map(([name, prototype]) => [name, library.func(prototype)]);
  return Object.fromEntries(entries) as Record<Name, NativeCall>;
}

/**
 * `struct sockaddr_un`, as long as it must be: an abstract name ends where its bytes end, a path with its zero.
 * @param options `hasLength`: the BSD layout, whose first byte is the length
 * @throws PortError `notify_failed` for what is no address of a Unix socket
 */
export function unixAddress(address: string, { hasLength }: { readonly hasLength: boolean }): Uint8Array {
  const isAbstract = address.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if ((!isAbstract && !address.startsWith('/')) || path.length > PATH_BYTES_MAX) {
    throw notifyFailed(
      `${address} is no address of a Unix socket`,
      'start freshd by its service manager, or unset NOTIFY_SOCKET',
    );
  }
  const header = Buffer.alloc(FAMILY_BYTES);
  if (hasLength) header.set([FAMILY_BYTES + path.length, AF_UNIX]);
  else header[os.endianness() === 'LE' ? 0 : 1] = AF_UNIX;
  return Buffer.concat([header, path]);
}

export function notifyFailed(what: string, remedy: string): PortError {
  return new PortError(`cannot notify the service manager: ${what}; ${remedy}`, { code: 'notify_failed', remedy });
}

/** Name of an errno as the system has it. */
export const errnoName = (koffi: Koffi): string =>
  Object.entries(os.constants.errno).find(([, number]) => number === koffi.errno())?.[0] ?? `errno ${koffi.errno()}`;

const FAMILY_BYTES = 2;

// `sun_path` of Linux has 108 bytes, that of macOS 104; there the kernel says that the longest do not fit.
const PATH_BYTES_MAX = 108;

export const AF_UNIX = 1;
