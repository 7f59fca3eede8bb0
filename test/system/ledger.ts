/**
 * Accounts for tests that kill: which refresh token the server takes, and which one our disk would give back after a crash.
 *
 * Rule: neither side asks the daemon. The server tells what it decides; the disk is read as bytes, with the journal's decoder.
 */
import { readFileSync } from 'node:fs';
import type { AuthorizationServer, AuthorizationServerOptions } from '../../scripts/demo-authorization-server.js';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { decodeSlot, SLOT_BYTES } from '../../src/adapters/journal-slot.ts';
import type { JournalEntry } from '../../src/daemon/ports.ts';
import { seed } from './arrange.ts';
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
  /** It had given out the successor before. */
  readonly isSpent: boolean;
  readonly isGranted: boolean;
}

export async function startLedger(options: AuthorizationServerOptions): Promise<Ledger> {
  let current = '';
  const looks: ((decision: Decision) => void)[] = [];
  const server = await startAuthorizationServer({
    ...options,
    onDecided({ body, response }) {
      const isSpent = new URLSearchParams(body).get('refresh_token') !== current;
      current = response?.refresh_token ?? current;
      for (const look of looks) look({ isSpent, isGranted: response !== null });
    },
  });
  return {
    server,
    current: () => current,
    onDecided: (look) => looks.push(look),
    seed(workshop) {
      // Old enough to be refreshed at once.
      current = seed(workshop, server, SEED_AGE_SECONDS).refresh_token;
    },
  };
}

/** The newest entry of a credential's journal; null: empty, or none yet. */
function journalEntry(workshop: Workshop, credential = 'demo'): JournalEntry | null {
  const path = `state/journal/${credential}.journal`;
  if (!workshop.exists(path)) return null;
  const bytes = readFileSync(workshop.path(path));
  const slots = [0, 1].map((index) => decodeSlot(bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES)));
  const [newest] = slots.filter((slot) => slot.kind === 'intact').sort((a, b) => b.sequence - a.sequence);
  return newest === undefined || newest.payload.length === 0 ? null : JSON.parse(newest.payload.toString());
}

/** Refresh tokens that journal or store hold now. */
export function refreshTokensOnDisk(workshop: Workshop): readonly unknown[] {
  const stored: Record<string, unknown> = JSON.parse(workshop.read('demo.json'));
  return [stored.refresh_token, journalEntry(workshop)?.response?.refresh_token];
}

const SEED_AGE_SECONDS = 2;
