/**
 * Reads a store until what is found can be believed: other tools truncate and write, so half a file is nothing unusual.
 *
 * Rule: what was touched a moment ago is looked at again; only what stays broken for 3 s is called broken. The waiting is
 * bounded, also for a file that never comes to rest.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { EpochMs } from '../../core/token.ts';
import type { StoreReading } from '../../daemon/ports.ts';
import { MISSING_SIGNATURE, type Snapshot, takeSnapshot } from './file-snapshot.ts';
import type { StoreCodec } from './store-codec.ts';

/** One reading, with what is needed to tell a later state of the file apart, and to merge into it. */
export interface Finding {
  readonly reading: StoreReading;
  /** Null: look again whatever `stat` says. */
  readonly signature: string | null;
  readonly changedAt: EpochMs | null;
  /** Without byte order mark; null when there is no text. */
  readonly text: string | null;
  readonly byteOrderMark: string;
}

/** How patient a read is. */
export interface Patience {
  /** A file untouched for so long is at rest. */
  readonly settledMs: number;
  /** How often a file that makes no sense is looked at again, and for how long. */
  readonly everyMs: number;
  readonly forMs: number;
}

export interface SettledReadOptions {
  readonly path: string;
  readonly codec: StoreCodec;
  readonly patience: Patience;
  readonly now: () => EpochMs;
  /** Was there a file the last time? Then its absence may be that of the moment between remove and create. */
  readonly wasThere: boolean;
  /** What we have just written ourselves, which needs no second look. */
  readonly ownText: string | null;
}

/** @throws PortError for troubles of the machine (`MACHINE_TROUBLES`) */
export async function readSettled(options: SettledReadOptions): Promise<Finding> {
  const { path, codec, patience } = options;
  let best: Finding | null = null;
  let previous: Finding | null = null;
  for (let waitedMs = 0; ; ) {
    const finding = judge(await takeSnapshot(path), codec, path);
    const pauseMs = pauseAfter(finding, previous, options);
    if (pauseMs === 0) return finding;
    if (makesSense(finding)) best = finding;
    if (waitedMs + pauseMs > patience.forMs) return best ?? finding;
    await wait(pauseMs);
    waitedMs += pauseMs;
    previous = finding;
  }
}

function judge(snapshot: Snapshot, codec: StoreCodec, path: string): Finding {
  const nothing = { signature: null, changedAt: null, text: null, byteOrderMark: '' };
  switch (snapshot.kind) {
    case 'missing':
      return { ...nothing, reading: snapshot, signature: MISSING_SIGNATURE };
    case 'unreadable':
      return { ...nothing, reading: { kind: 'broken', detail: snapshot.detail } };
    case 'torn':
      return { ...nothing, reading: broken(path, 'it changes all the time'), text: '' };
    case 'content': {
      const { signature, changedAt, bytes, modifiedAt } = snapshot;
      const decoded = decodeUtf8(bytes);
      if (decoded === null)
        return { signature, changedAt, text: '', byteOrderMark: '', reading: broken(path, NO_UTF8) };
      const byteOrderMark = decoded.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
      const text = decoded.slice(byteOrderMark.length);
      const read = codec.read(text, modifiedAt);
      const reading = read.kind === 'tokens' ? read : { ...read, detail: `${path}: ${read.detail}` };
      return { signature, changedAt, text, byteOrderMark, reading };
    }
  }
}

/** How long to wait before another look; 0: this one is believed. */
function pauseAfter(finding: Finding, previous: Finding | null, options: SettledReadOptions): number {
  const { settledMs, everyMs, forMs } = options.patience;
  if (finding.reading.kind === 'missing' && finding.text === null) return options.wasThere ? everyMs : 0;
  // Not readable at all: looking again does not change that.
  if (finding.text === null || finding.text === options.ownText) return 0;
  const ageMs = finding.changedAt === null ? -1 : options.now() - finding.changedAt;
  if (!makesSense(finding)) return ageMs >= forMs ? 0 : everyMs;
  // The second condition is for files whose clock is not ours.
  const isAtRest = ageMs >= settledMs || (finding.signature !== null && finding.signature === previous?.signature);
  return isAtRest ? 0 : settledMs;
}

/** An empty file is what a truncating writer leaves for a moment. */
function makesSense({ reading, text }: Finding): boolean {
  return reading.kind !== 'broken' && text !== null && text.trim() !== '';
}

function broken(path: string, seen: string): StoreReading {
  return { kind: 'broken', detail: `${path}: ${seen}; restore it, or log in again` };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

export const DEFAULT_PATIENCE: Patience = {
  // A writer that has not gone on for this long has finished: a credential file is one write, or a few in a row.
  settledMs: 50,
  everyMs: 250,
  forMs: 3_000,
};

const BYTE_ORDER_MARK = '\ufeff';
const NO_UTF8 = 'expected UTF-8 text, found other bytes';
