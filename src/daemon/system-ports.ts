/**
 * Ports to the system that a daemon lives in: calls that Node does not have, and the service manager's ear.
 *
 * Rule: as in ports.ts; apart from it because a daemon runs without any of this, and says what it then cannot do.
 */
import type { Socket } from 'node:net';
import type { ReaderFacts } from '../core/access.ts';
import type { ServiceSign } from '../core/progress.ts';

/** Who is at the other end of a local connection, as the kernel noted it when the connection was made. */
export interface PeerIdentity {
  readonly uid: number;
  readonly gid: number;
  /** Null where the system does not say, as for a process outside our process namespace. */
  readonly pid: number | null;
}

/** Did the system do what was asked of it? `not_here`: it has no such thing. */
export type Protection = 'done' | 'refused' | 'not_here';

/** The few calls of the system that Node does not have. Each is synchronous and takes microseconds; an fd is only borrowed. */
export interface NativePort {
  /**
   * Sends one datagram to a Unix socket, without waiting for room.
   * @param address a path, or `@name` in Linux's abstract namespace
   * @throws PortError `notify_failed`; `notify_busy`: the receiver has no room now
   */
  sendDatagram(address: string, text: string): void;
  /** Null when the descriptor is not a connection whose peer the system names. */
  peerOf(fd: number): PeerIdentity | null;
  /** All groups of that peer. */
  peerGroups(fd: number): readonly number[];
  /**
   * Path of the program that the peer of this connection runs now. Null: it is gone, or the system does not let us look. Never
   * that of another process that has got the pid since.
   */
  peerExecutable(fd: number): string | null;
  /** No debugger of the same user may attach, and no image of the memory is written. */
  forbidDumps(): { readonly notDumpable: Protection; readonly noCoreFiles: Protection };
}

/** Whether those calls are at hand; `why` is for people, and says what to do. */
export type NativeSupport =
  | { readonly isAvailable: true; readonly native: NativePort }
  | { readonly isAvailable: false; readonly why: string };

/** Tells the other ends of connections apart. */
export interface PeersPort {
  /** Null: the system does not say, or the connection has ended. */
  readerOf(socket: Socket): ReaderFacts | null;
}

/** The service manager's socket for news of us (`$NOTIFY_SOCKET`). */
export interface NotifyPort {
  /** Does a message cost no process? If it does, a watchdog cannot be served. */
  readonly isCheap: boolean;
  /** @param text lines as in sd_notify(3), never a secret @throws PortError `notify_failed`, `notify_busy` */
  send(text: string): Promise<void>;
}

/** Whoever started this process and watches over it; where nobody did, nothing is told to anybody. Never throws. */
export interface ServiceManagerPort {
  /** It ends the process that long after its last life sign, in ms; null: never. */
  readonly watchdogMs: number | null;
  /** In order, and best effort. */
  tell(sign: ServiceSign): void;
  /** On a timer that depends on nothing else. @returns how to stop */
  every(intervalMs: number, look: () => void): () => void;
}

/** Which rules about readers can be kept in this process. */
export interface ReaderAbilities {
  /** Null: connections name their other ends. */
  readonly whyNone: string | null;
  /** Does that user look like nobody else here? */
  readonly knowsUser: (uid: number) => boolean;
  readonly knowsGroup: (gid: number) => boolean;
  readonly whyNoExecutables: string | null;
}

/** The file of a socket of ours was removed. */
export interface SocketRemoval {
  readonly path: string;
  /** Why it could not be made again; null: it was. */
  readonly code: string | null;
  readonly remedy: string | null;
}
