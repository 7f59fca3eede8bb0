/**
 * A look at an option of a socket, which Linux and macOS answer alike.
 *
 * Rule: read only; a kernel that does not have an option is no error.
 */
import type { NativeCall } from './library.ts';

/** @returns the option as 32-bit words, as many as the kernel gave; null when it does not have it for this descriptor */
export function socketOption(
  calls: Readonly<Record<'getsockopt', NativeCall>>,
  fd: number,
  { level, option, words }: { readonly level: number; readonly option: number; readonly words: number },
): readonly number[] | null {
  const value = new Uint32Array(words);
  const length = new Int32Array([value.byteLength]);
  const failed = calls.getsockopt(fd, level, option, new Uint8Array(value.buffer), new Uint8Array(length.buffer));
  if (failed !== 0) return null;
  return [...value.subarray(0, (length[0] ?? 0) / Uint32Array.BYTES_PER_ELEMENT)];
}

export const SOCKET_OPTION_PROTOTYPES = {
  getsockopt: 'int getsockopt(int fd, int level, int option, void *value, void *length)',
};
