/**
 * Who is at the other end of each connection: what it may read, how much it may ask for, and what is written down of it.
 *
 * Rule: asked at every read and every push, since a reload changes the rules. Nothing here sees a token.
 */
import type { Socket } from 'node:net';
import { type AllowRule, type Denial, denialOf, type ReaderFacts } from '../core/access.ts';
import type { MonotonicMs } from '../core/token.ts';
import type { LogPort } from '../daemon/ports.ts';
import type { PeersPort } from '../daemon/system-ports.ts';
import { createTally } from './tally.ts';
import { createThrottle } from './throttle.ts';
import type { Timers } from './timers.ts';

/** Where rules and readers come from. */
export interface AccessSources {
  /** Null: the system does not tell readers apart. */
  readonly peers: PeersPort | null;
  /** Null: whoever may connect may read it. */
  readonly ruleOf: (credential: string) => AllowRule | null;
  /** @returns how to stop listening */
  readonly onRulesChanged: (listener: (credentials: readonly string[]) => void) => () => void;
}

export interface Access {
  /** Those at the other end of this connection. */
  asker(socket: Socket): Asker;
  isRestricted(credential: string): boolean;
  onRulesChanged: AccessSources['onRulesChanged'];
  close(): void;
}

/** One connection as its requests see it. */
export interface Asker {
  /** Null: may read. */
  denialOf(credential: string): Denial | null;
  /** It asked for a token of this credential, and was refused. */
  noteDenied(credential: string, denial: Denial): void;
  /** A token of this credential was handed out. */
  noteRead(credential: string): void;
  /** @returns null when it may go on, else how long it should wait, in ms */
  charge(cost: number, now: MonotonicMs): number | null;
  /** Tells it from others; null: nobody knows. */
  readonly name: string | null;
}

/** Nothing is known of anybody, and nothing is restricted. */
export const OPEN_TO_ALL: AccessSources = {
  peers: null,
  ruleOf: () => null,
  onRulesChanged: () => () => undefined,
};

export function createAccess(
  { peers, ruleOf, onRulesChanged }: AccessSources,
  { log, timers, unitsMax }: { readonly log: LogPort; readonly timers: Timers; readonly unitsMax: number },
): Access {
  const reads = createTally({ event: 'token_read', level: 'info', log, timers });
  const denials = createTally({ event: 'read_denied', level: 'warn', log, timers });
  const throttle = createThrottle(unitsMax);
  const ownUid = process.geteuid?.() ?? null;
  const askers = new WeakMap<Socket, Asker>();

  function createAsker(reader: ReaderFacts | null): Asker {
    // What is written down is what it ran when it first read; a rule asks anew each time.
    let executable: string | null | undefined;
    const describe = () => {
      if (executable === undefined) executable = reader?.executable() ?? null;
      return { uid: reader?.uid ?? null, executable };
    };
    const keyOf = (credential: string): string => `${describe().uid} ${describe().executable} ${credential}`;
    const pid = reader?.pid ?? null;
    const key = reader === null ? null : reader.uid === ownUid && pid !== null ? `pid ${pid}` : `uid ${reader.uid}`;
    return {
      denialOf(credential) {
        const rule = ruleOf(credential);
        return rule === null ? null : denialOf(rule, reader);
      },
      noteDenied(credential, { rule }) {
        denials.note(`${keyOf(credential)} ${rule}`, () => ({ credential, rule, ...describe(), pid }));
      },
      noteRead(credential) {
        if (reader !== null) reads.note(keyOf(credential), () => ({ credential, ...describe(), pid }));
      },
      charge: (cost, now) => (key === null ? null : throttle.charge(key, cost, now)),
      name: reader === null ? null : `uid:${reader.uid}${pid === null ? '' : `/pid:${pid}`}`,
    };
  }

  return {
    asker(socket) {
      const known = askers.get(socket);
      if (known !== undefined) return known;
      const asker = createAsker(peers?.readerOf(socket) ?? null);
      askers.set(socket, asker);
      return asker;
    },
    isRestricted: (credential) => ruleOf(credential) !== null,
    onRulesChanged,
    close() {
      reads.close();
      denials.close();
    },
  };
}
