/**
 * One datagram to a Unix socket.
 *
 * Rule: never waits for room; the event loop that sends a sign of life must not hang on whoever should read it.
 */
import { PortError } from '../../daemon/ports.ts';
import { AF_UNIX, errnoName, type Koffi, type NativeCall, notifyFailed, unixAddress } from './library.ts';

export interface DatagramCalls {
  readonly koffi: Koffi;
  readonly calls: Readonly<Record<'socket' | 'sendto' | 'close', NativeCall>>;
  /** The BSD layout of addresses. */
  readonly hasLength: boolean;
  readonly socketFlags: number;
  readonly sendFlags: number;
}

/** @throws PortError as in `NativePort.sendDatagram` */
export function sendDatagram({ koffi, calls, ...kind }: DatagramCalls, address: string, text: string): void {
  const to = unixAddress(address, kind);
  const bytes = Buffer.from(text);
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | kind.socketFlags, 0);
  if (fd < 0) throw notifyFailed(errnoName(koffi), 'the system refuses a socket');
  try {
    if (calls.sendto(fd, bytes, bytes.length, kind.sendFlags, to, to.length) === bytes.length) return;
    const errno = errnoName(koffi);
    if (errno !== 'EAGAIN' && errno !== 'ENOBUFS')
      throw notifyFailed(`${address}: ${errno}`, 'is the service manager there?');
    const remedy = 'try again in a moment';
    throw new PortError(`cannot notify the service manager: ${address} takes no more now; ${remedy}`, {
      code: 'notify_busy',
      remedy,
    });
  } finally {
    calls.close(fd);
  }
}

export const DATAGRAM_PROTOTYPES = {
  socket: 'int socket(int domain, int type, int protocol)',
  sendto: 'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
  close: 'int close(int fd)',
};

const SOCK_DGRAM = 2;
