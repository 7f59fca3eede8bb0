/**
 * The simulated disk's FileHandle, as `open` of node:fs/promises returns it.
 *
 * Rule: each method makes the system calls that Node's makes, one by one: between any two the program can be killed.
 */
import { fattributesCall, fstatCall, readCall, syncCall, truncateCall, writeCall } from './disk-descriptor.ts';
import { systemError } from './disk-error.ts';
import type { OpenFile } from './disk-open.ts';
import type { DiskProcess } from './disk-process.ts';
import { type DiskBigIntStats, type DiskStats, statsOf } from './disk-stats.ts';

export type Encoding = BufferEncoding | null | { readonly encoding?: BufferEncoding | null } | undefined;

export class DiskHandle {
  readonly #process: DiskProcess;
  #descriptor: number;

  constructor(process: DiskProcess, descriptor: number) {
    this.#process = process;
    this.#descriptor = descriptor;
  }

  get fd(): number {
    return this.#descriptor;
  }

  async stat(options?: { readonly bigint?: boolean }): Promise<DiskStats | DiskBigIntStats> {
    return statsOf(await this.#process.call(fstatCall(this.#file('fstat'))), options);
  }

  async read<B extends Uint8Array>(
    buffer: B,
    offset = 0,
    length = buffer.length - offset,
    position: number | null = null,
  ): Promise<{ bytesRead: number; buffer: B }> {
    const file = this.#file('read');
    // Node asks nobody for nothing.
    if (length === 0) return { bytesRead: 0, buffer };
    const into = buffer.subarray(offset, offset + length);
    const at = position === null || position < 0 ? null : position;
    return { bytesRead: await this.#process.call(readCall(file, into, at)), buffer };
  }

  async write<B extends Uint8Array | string>(
    data: B,
    offset = 0,
    length?: number,
    position: number | null = null,
  ): Promise<{ bytesWritten: number; buffer: B }> {
    if (typeof data === 'string') throw new Error('the simulated disk writes buffers here, not strings');
    const bytes = data.subarray(offset, offset + (length ?? data.length - offset));
    return { bytesWritten: await this.#write(bytes, position), buffer: data };
  }

  async writeFile(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    this.#file('write');
    for (let written = 0; written < bytes.length; ) written += await this.#write(bytes.subarray(written), null);
  }

  #write(bytes: Uint8Array, position: number | null): Promise<number> {
    return this.#process.call(writeCall(this.#process.tree, this.#file('write'), bytes, position));
  }

  async readFile(options?: Encoding): Promise<Buffer | string> {
    const { size } = await this.stat();
    const parts: Buffer[] = [];
    for (let room = Number(size); ; room = 0) {
      // Where the size is known, a read of just that and one more that finds the end.
      const part = Buffer.alloc(Math.max(room, READ_BYTES_MIN));
      const { bytesRead } = await this.read(part);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
    }
    return decoded(Buffer.concat(parts), options);
  }

  async truncate(size = 0): Promise<void> {
    await this.#process.call(truncateCall(this.#process.tree, this.#file('ftruncate'), size));
  }

  async chmod(mode: number): Promise<void> {
    await this.#change('fchmod', { mode: mode & 0o7777 });
  }

  async chown(uid: number, gid: number): Promise<void> {
    await this.#change('fchown', { uid, gid });
  }

  async #change(syscall: string, change: Parameters<typeof fattributesCall>[2]['change']): Promise<void> {
    await this.#process.call(fattributesCall(this.#process.tree, this.#file(syscall), { syscall, change }));
  }

  async sync(): Promise<void> {
    await this.#process.call(syncCall(this.#process.tree, this.#file('fsync'), 'fsync'));
  }

  async datasync(): Promise<void> {
    await this.#process.call(syncCall(this.#process.tree, this.#file('fdatasync'), 'fdatasync'));
  }

  /** A second time: nothing. */
  async close(): Promise<void> {
    if (this.#descriptor === CLOSED) return;
    const descriptor = this.#descriptor;
    this.#descriptor = CLOSED;
    await this.#process.call(this.#process.close(descriptor));
  }

  #file(syscall: string): OpenFile {
    if (this.#descriptor === CLOSED) throw Object.assign(systemError('EBADF', { syscall }), { message: 'file closed' });
    return this.#process.file(this.#descriptor, syscall);
  }
}

export function decoded(bytes: Buffer, options: Encoding): Buffer | string {
  const encoding = typeof options === 'string' ? options : (options?.encoding ?? null);
  return encoding === null ? bytes : bytes.toString(encoding);
}

const CLOSED = -1;

// What Node reads at a time where a size says nothing, as in /proc.
const READ_BYTES_MIN = 8192;
