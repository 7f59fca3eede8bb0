/**
 * News for the service manager: a datagram of our own, or, without native calls, the program `systemd-notify`.
 *
 * Rule: a message of our own costs no process; one by the program does, and comes from another pid (the unit then needs
 * `NotifyAccess=all`, and no WatchdogSec). See ADR 13.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PortError } from '../daemon/ports.ts';
import type { NativeSupport, NotifyPort } from '../daemon/system-ports.ts';
import { errnoOf } from './port-error.ts';

export interface NotifySocketOptions {
  /** As in `$NOTIFY_SOCKET`. */
  readonly address: string;
  readonly support: NativeSupport;
  /** Where `systemd-notify` may be. */
  readonly programs?: readonly string[];
}

/** A way to the service manager. */
export function createNotifySocket({ address, support, programs = PROGRAMS }: NotifySocketOptions): NotifyPort {
  if (support.isAvailable) {
    return { isCheap: true, send: async (text) => support.native.sendDatagram(address, text) };
  }
  return { isCheap: false, send: (text) => sendByProgram(text, { address, programs, why: support.why }) };
}

async function sendByProgram(
  text: string,
  { address, programs, why }: { readonly address: string; readonly programs: readonly string[]; readonly why: string },
): Promise<void> {
  const lines = text.split('\n').filter((line) => line !== '');
  for (const program of programs) {
    // Nothing of our environment: it may hold secrets, and this program needs only the address.
    const child = spawn(program, ['--', ...lines], { cwd: '/', env: { NOTIFY_SOCKET: address }, stdio: 'ignore' });
    try {
      const [status] = (await once(child, 'exit')) as [number | null];
      if (status === 0) return;
      throw failed(`${program} exited with ${status ?? 'a signal'}`, why);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  throw failed('there is no systemd-notify', why);
}

function failed(what: string, why: string): PortError {
  return new PortError(`cannot notify the service manager: ${what}, and ${why}`, {
    code: 'notify_failed',
    remedy: why,
  });
}

const PROGRAMS = ['/usr/bin/systemd-notify', '/bin/systemd-notify'];
