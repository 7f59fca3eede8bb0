/**
 * What a wake-up costs the engine, by the number of credentials it keeps.
 *
 * Rule: the real engine and core on a clock of our own that jumps from deadline to deadline; every effect is answered at
 * once, so that nothing but the wake-up is measured.
 */
import type { Effect } from '../src/core/effect.ts';
import { nextDeadline, step } from '../src/core/lifecycle.ts';
import { initialState } from '../src/core/memory.ts';
import { SENTINEL_TARGET } from '../src/core/targets.ts';
import { epochMs, type Fingerprint, type Grant, monotonicMs, type Now } from '../src/core/token.ts';
import { createEngine, type Engine } from '../src/daemon/engine.ts';
import type { AlarmPort } from '../src/daemon/ports.ts';
import { policyOf } from './policy.ts';
import { type Finding, median } from './table.ts';

export function measureWakeUps(): readonly Finding[] {
  const worlds = COUNTS.map((count) => ({ count, ring: createWorld(count), timesUs: [] as number[] }));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const { ring, timesUs } of worlds) {
      const began = performance.now();
      let woken = 0;
      while (woken < WAKE_UPS) woken += ring();
      // The first round is for the compiler.
      if (round > 0) timesUs.push(((performance.now() - began) * 1000) / woken);
    }
  }
  const [first] = worlds;
  if (first === undefined) return [];
  const baseUs = median(first.timesUs);
  return worlds.map(({ count, timesUs }) => ({
    what: `wake-up of a credential among ${count}, to that among ${first.count}`,
    figure: `${median(timesUs).toFixed(1)} us each`,
    ratio: count === first.count ? null : median(timesUs) / baseUs,
    ratioMax: count === first.count ? null : Math.log2(count) / Math.log2(first.count),
  }));
}

/** @returns lets the clock pass to the next deadline, rings, and says how many credentials that woke */
function createWorld(count: number): () => number {
  let passedMs = 0;
  let woken = 0;
  let ring = (): void => undefined;
  let delayMs = 0;
  const now = (): Now => ({ wallMs: epochMs(START_MS + passedMs), monotonicMs: monotonicMs(passedMs) });
  const alarm: AlarmPort = {
    set: (forMs, callback) => {
      delayMs = forMs;
      ring = callback;
    },
    clear: () => undefined,
  };
  const engine: Engine = createEngine({
    step,
    nextDeadline,
    clock: { now },
    alarm,
    log: { write: () => undefined },
    perform: (credential, effects) => {
      for (const effect of effects) answer(credential, effect);
    },
    observe: () => undefined,
  });
  function answer(credential: string, effect: Effect): void {
    if (effect.type === 'set_sentinel') {
      const { revision } = effect;
      engine.dispatch(credential, { type: 'publish_succeeded', target: SENTINEL_TARGET, revision });
    }
    if (effect.type !== 'reread_store') return;
    woken += 1;
    engine.dispatch(credential, { type: 'store_unchanged', obstacle: null });
  }
  for (let index = 0; index < count; index += 1) {
    const begin = { name: `c${index}`, policy: policyOf(`credential-${index}`), targets: [], memory: null };
    engine.add(initialState(begin, now()), { type: 'token_loaded', grant: grantOf(index) });
  }
  return () => {
    passedMs += delayMs;
    woken = 0;
    ring();
    return woken;
  };
}

function grantOf(index: number): Grant {
  const token = {
    accessToken: `access-${index}`,
    tokenType: 'Bearer',
    fingerprint: `access-${index}` as Fingerprint,
    obtainedAt: null,
    notBefore: null,
    expiry: { kind: 'never' } as const,
  };
  const fingerprint = `refresh-${index}` as Fingerprint;
  return { token, fingerprint, hasRefreshToken: true, refreshTokenExpiresAt: null, account: null };
}

const START_MS = Date.UTC(2026, 0, 1);

// From ten on: of one there is no logarithm to compare with.
const COUNTS = [10, 100, 1_000, 10_000];
const ROUNDS = 6;
const WAKE_UPS = 10_000;
