/**
 * Writes lines to a descriptor without ever holding up the process: not at a reader that stalls, not at the exit.
 *
 * Rule: a line is written at once and whole, or kept, up to a limit; beyond that, lines are counted instead. Libraries fall
 * short here: a write that blocks in the thread pool keeps the process from exiting, and so does one that is repeated until
 * it succeeds, on a full disk.
 */
import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { errnoOf } from './port-error.ts';

export interface LineWriter {
  /** @param line with its line break */
  write(line: string): void;
}

/**
 * @param fd stays open for the life of the process; a pipe or socket is made non-blocking
 * @param onGap called when writing goes on after lines were dropped, with their number; may write a line itself
 */
export function createLineWriter(fd: number, onGap: (lines: number) => void): LineWriter {
  avoidBlocking(fd);
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let dropped = 0;
  let retry: NodeJS.Timeout | null = null;

  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (keptBytes + bytes.length > KEPT_BYTES_MAX) dropped += 1;
      else {
        kept.push(bytes);
        keptBytes += bytes.length;
      }
      proceed();
    },
  };

  function proceed(): void {
    process.off('exit', writeLast);
    const error = writeKept();
    if (error !== null) proceedLater(error);
    else if (dropped > 0) {
      const lines = dropped;
      dropped = 0;
      onGap(lines);
    }
  }

  /** @returns the name of the error that ended it; null when nothing is kept any more */
  function writeKept(): string | null {
    for (let line = kept[0]; line !== undefined; line = kept[0]) {
      try {
        const written = writeSync(fd, line);
        keptBytes -= written;
        if (written === line.length) kept.shift();
        else kept[0] = line.subarray(written);
      } catch (error) {
        return errnoOf(error) ?? 'unknown';
      }
    }
    return null;
  }

  /** A full pipe is tried again soon; what is broken (no reader, a full disk) with the next line. */
  function proceedLater(error: string): void {
    process.on('exit', writeLast);
    if (error !== 'EAGAIN' || retry !== null) return;
    retry = setTimeout(() => {
      retry = null;
      proceed();
    }, RETRY_MS).unref();
  }

  /** A reader that is merely slow still gets the last lines: they say why the process ended. */
  function writeLast(): void {
    for (let waitedMs = 0; writeKept() === 'EAGAIN' && waitedMs < EXIT_WAIT_MS; waitedMs += EXIT_POLL_MS) {
      // Nothing else runs any more; this is the only way to wait here.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EXIT_POLL_MS);
    }
  }
}

/** A file does not block, and a terminal only while its user holds it. Node switches what it opens as a socket, and only that. */
function avoidBlocking(fd: number): void {
  const found = fstatSync(fd);
  if (!found.isFIFO() && !found.isSocket()) return;
  // Nothing is ever sent through it; but once collected as garbage it would close the descriptor.
  UNUSED_SOCKETS.push(new Socket({ fd, readable: false, writable: true }).unref());
}

const UNUSED_SOCKETS: Socket[] = [];

// About 5,000 log records: what a reader may fall behind.
const KEPT_BYTES_MAX = 1024 * 1024;

// Nobody says when a pipe has room again; a tenth of a second is late for no one who reads a log.
const RETRY_MS = 100;

// A reader that took nothing for a second will not take the rest either, and the service manager waits for us.
const EXIT_WAIT_MS = 1000;
const EXIT_POLL_MS = 10;
