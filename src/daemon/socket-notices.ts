/**
 * Tells a person that the socket was removed: a cleaner of temporary files, or somebody by hand, cut every reader off.
 *
 * Rule: it is a place of delivery for all credentials, so its trouble and its end are told like those of one. What was told is
 * told again only when it changes, or after a while: a cleaner that comes every minute must not send a message each time.
 */
import type { Alert } from '../core/effect.ts';
import { LIMITS } from '../core/policy.ts';
import { createOffers } from './perform-alert.ts';
import type { AlertMessage, ClockPort, LogPort } from './ports.ts';
import type { Settings } from './reloading.ts';
import type { SocketRemoval } from './system-ports.ts';

export interface SocketNoticesOptions {
  /** May change at a reload. */
  readonly settings: () => Pick<Settings, 'sinks' | 'alertKinds'>;
  readonly clock: ClockPort;
  readonly log: LogPort;
  /** How long one sink may take. */
  readonly limitMs: number;
}

/** @returns takes one removal, and never throws */
export function createSocketNotices(options: SocketNoticesOptions): (removal: SocketRemoval) => void {
  const offer = createOffers({ ...options, sinks: () => options.settings().sinks });
  const told = new Map<string, { readonly code: string | null; readonly atMs: number }>();
  return (removal) => {
    const { wallMs, monotonicMs } = options.clock.now();
    const last = told.get(removal.path);
    const isKnown = last?.code === removal.code && monotonicMs - last.atMs < LIMITS.occurrenceMs;
    const kind = removal.code === null ? 'delivery_restored' : 'delivery_failed';
    if (isKnown || !options.settings().alertKinds.includes(kind)) return;
    told.set(removal.path, { code: removal.code, atMs: monotonicMs });
    void offer(messageOf(removal, { kind, at: wallMs }));
  };
}

function messageOf({ path, code, remedy }: SocketRemoval, { kind, at }: Pick<Alert, 'kind' | 'at'>): AlertMessage {
  const target = `socket:${path}`;
  const alert = {
    id: `${target}:${at}`,
    kind,
    at,
    episodeStartedAt: null,
    failures: 0,
    code: code ?? REMOVED,
    expiresAt: null,
    target,
  };
  const words = code === null ? MADE_AGAIN : goneFor(code);
  const help = remedy ?? words.remedy;
  const lines = [`What: ${words.what}`, `Where: ${path}`, `Next: ${words.next}`, help === null ? null : `Do: ${help}`];
  return {
    credential: ALL,
    alert,
    title: words.title,
    text: lines.filter((line) => line !== null).join('\n'),
    remedy: help,
  };
}

const MADE_AGAIN = {
  title: 'freshd: the socket was removed, and is there again',
  what: 'somebody removed its socket; it was made again',
  next: 'readers connect again by themselves',
  remedy: 'keep cleaners of temporary files out of its folder',
} as const;

const goneFor = (code: string) => ({
  title: 'freshd: the socket is gone',
  what: `its socket was removed and cannot be made again (${code})`,
  next: 'freshd tries again every few seconds; no program can read a token there',
  remedy: null,
});

/** No credential can have this name. */
const ALL = '*';
const REMOVED = 'socket_removed';
