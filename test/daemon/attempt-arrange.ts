/** An attempt's surroundings: one credential `a`, its ports in memory, and the events that come of it. */
import type { Event } from '../../src/core/event.ts';
import type { Answer, Fingerprint, Grant, TokenSet } from '../../src/core/token.ts';
import { grantOf as nameGrant } from '../../src/core/token-response.ts';
import { createLine } from '../../src/daemon/line.ts';
import { Attempts } from '../../src/daemon/perform-attempt.ts';
import type { RefreshOutcome } from '../../src/daemon/ports.ts';
import {
  type FakeRefresh,
  fakeJournal,
  fakeRefresh,
  fakeStore,
  fingerprint,
  keptLog,
  managed,
  manualClock,
  stateOf,
  tokens,
} from './fakes.ts';

export const EXPECTED = fingerprint('refresh-1');
export const grantOf = (set: TokenSet): Grant => {
  const grant = nameGrant(set, fingerprint);
  if (grant === null) throw new Error('expected tokens');
  return grant;
};
const OBTAINED_AT = '2026-11-01T00:00:00.000Z';
export const NEXT = {
  access_token: 'access-2',
  refresh_token: 'refresh-2',
  expires_in: 3_600,
  obtained_at: OBTAINED_AT,
};

export function build(
  options: { outcome?: RefreshOutcome; policy?: Parameters<typeof managed>[2]; slots?: number } = {},
) {
  const clock = manualClock();
  const store = fakeStore();
  const refresh: FakeRefresh = fakeRefresh(() => options.outcome ?? { kind: 'response', response: NEXT });
  const journal = fakeJournal();
  const log = keptLog();
  const events: Event[] = [];
  const attempts = new Attempts({
    credential: (name) => (name.startsWith('a') ? managed(name, { store, refresh }, options.policy) : undefined),
    state: (name) => stateOf(name, clock),
    isReconciling: () => false,
    report: (_name, event) => events.push(event),
    line: createLine(options.slots ?? 1),
    journal,
    clock,
    log,
    fingerprint,
    createRunId: () => 'run-1',
    bootId: 'boot-1',
    lockLimitMs: 30_000,
    stepLimitMs: 100,
  });
  const begin = (attempt = 1, expected: Fingerprint | null = EXPECTED, name = 'a') =>
    attempts.begin(name, { type: 'begin_attempt', attempt, reason: 'due', expected, guarded: false, setAside: null });
  const run = (attempt = 1) => attempts.run('a', { attempt, reason: 'due' });
  return { attempts, begin, run, store, refresh, journal, log, events, clock };
}

export async function answerOf(built: ReturnType<typeof build>): Promise<Answer> {
  await built.begin();
  await built.run();
  const event = built.events.at(-1);
  if (event?.type !== 'refresh_succeeded') throw new Error(`expected refresh_succeeded, got ${event?.type}`);
  return event.answer;
}

export const ROTATED = {
  kind: 'tokens',
  tokens: tokens({ accessToken: 'access-2', refreshToken: 'refresh-2' }),
} as const;
export const TIMEOUT = unsentNever('transient', 'timeout');
export const REFUSED = unsentNever('terminal', 'invalid_grant');

function unsentNever(failureClass: 'transient' | 'terminal', code: string): RefreshOutcome {
  const failure = {
    class: failureClass,
    code,
    doubt: true,
    unsent: false,
    origin: 'server',
    retryAfterMs: null,
  } as const;
  return { kind: 'failure', failure: { ...failure, detail: null } };
}
