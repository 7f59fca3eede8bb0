/**
 * Accounts for tests that kill: which refresh token the server takes, and which one our disk would give back after a crash.
 *
 * Rule: neither side asks the daemon. The server tells what it decides; the disk is read as bytes, with the journal's decoder.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorizationServer, AuthorizationServerOptions } from '../../scripts/demo-authorization-server.js';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { decodeSlot, SLOT_BYTES } from '../../src/adapters/journal-slot.ts';
import type { JournalEntry } from '../../src/daemon/ports.ts';
import { seed, stored } from './arrange.ts';
import type { Workshop } from './workshop.ts';

export interface Ledger {
  readonly server: AuthorizationServer;
  /** The refresh token that the server would rotate next. */
  readonly current: () => string;
  onDecided(look: (decision: Decision) => void): void;
  /** A new family, as after a login. */
  seed(workshop: Workshop): void;
}

/** What the server decides about a refresh token, before its answer goes out. */
export interface Decision {
  /** How many successors of it had been given out before: 0 for the one to be used; infinite for what it does not know. */
  readonly successors: number;
  readonly isGranted: boolean;
}

export async function startLedger(options: AuthorizationServerOptions): Promise<Ledger> {
  /** Of the family in use, in the order in which they were given out. */
  let family: string[] = [];
  const current = () => family.at(-1) ?? '';
  const looks: ((decision: Decision) => void)[] = [];
  const server = await startAuthorizationServer({
    ...options,
    onDecided({ body, response }) {
      const sent = family.indexOf(new URLSearchParams(body).get('refresh_token') ?? '');
      const successors = sent === -1 ? Number.POSITIVE_INFINITY : family.length - 1 - sent;
      if (response !== null && response.refresh_token !== current()) family.push(response.refresh_token);
      for (const look of looks) look({ successors, isGranted: response !== null });
    },
  });
  return {
    server,
    current,
    onDecided: (look) => looks.push(look),
    seed(workshop) {
      // Old enough to be refreshed at once.
      family = [seed(workshop, server, SEED_AGE_SECONDS).refresh_token];
    },
  };
}

/** The newest entry of the journal in that state directory; null: empty, or none yet. */
export function journalEntry(stateDirectory: string): JournalEntry | null {
  const path = join(stateDirectory, 'journal/demo.journal');
  if (!existsSync(path)) return null;
  const bytes = readFileSync(path);
  const slots = [0, 1].map((index) => decodeSlot(bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES)));
  const [newest] = slots.filter((slot) => slot.kind === 'intact').sort((a, b) => b.sequence - a.sequence);
  return newest === undefined || newest.payload.length === 0 ? null : JSON.parse(newest.payload.toString());
}

/** Refresh tokens that journal or store hold now. */
export function refreshTokensOnDisk(workshop: Workshop): readonly unknown[] {
  return [stored(workshop).refresh_token, journalEntry(workshop.path('state'))?.response?.refresh_token];
}

const SEED_AGE_SECONDS = 2;
