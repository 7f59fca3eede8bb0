import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyToChain, nextChainDeadline, stepChain } from '../../src/core/chain.ts';
import {
  type ChainSpec,
  type ChainState,
  changeChain,
  initialChain,
  type MemberView,
  rememberChain,
} from '../../src/core/chain-state.ts';
import { memberView } from '../../src/core/chain-view.ts';
import type { Effect } from '../../src/core/effect.ts';
import { ALERT_KINDS, LIMITS, type Policy } from '../../src/core/policy.ts';
import { epochMs, type Fingerprint, monotonicMs, type Now } from '../../src/core/token.ts';
import { createLife, grant, HOUR, loaded, SECOND, START } from './life.ts';

const SPEC: ChainSpec = {
  name: 'any',
  members: ['a', 'b'].map((credential) => ({ credential, settleMs: 10 * SECOND })),
  targets: [
    { id: 'envFile:/x/.env', of: null },
    { id: 'hook:/x/tell#0 of b', of: 'b' },
  ],
  policy: { alerts: ALERT_KINDS, limits: LIMITS },
};

type Seen = Partial<Omit<MemberView, 'credential'>>;

const view = (credential: string, seen: Seen = {}): MemberView => {
  const { standing = 'usable', generation = 1 } = seen;
  const token = {
    accessToken: `${credential}-${generation}`,
    tokenType: 'Bearer',
    fingerprint: `fp-${credential}-${generation}` as Fingerprint,
    obtainedAt: null,
    notBefore: null,
    expiry: { kind: 'never' },
  } as const;
  return {
    credential,
    standing,
    generation,
    token: standing === 'unusable' || standing === 'absent' ? null : token,
    lack: standing === 'usable' ? null : { reason: 'expired', code: 'timeout', needsPerson: false },
    turnsAt: null,
    holdsNothing: false,
    ...seen,
  };
};

const DOWN: Seen = { standing: 'unusable' };

/** A chain on a clock of its own; every command is done at once unless `answer` says otherwise. */
function createChain(spec: ChainSpec = SPEC, memory: unknown = null) {
  let state: ChainState = initialChain(spec, memory);
  let elapsedMs = 0;
  const effects: Effect[] = [];
  const now = (): Now => ({ wallMs: epochMs(START + elapsedMs), monotonicMs: monotonicMs(1_000 + elapsedMs) });
  const chain = {
    effects,
    isFull: false,
    get state() {
      return state;
    },
    get now() {
      return now();
    },
    see(views: Readonly<Record<string, Seen>>) {
      const all = Object.entries(views).map(([credential, seen]) => view(credential, seen));
      const step = stepChain(state, all, now());
      state = step.state;
      effects.push(...step.effects);
      for (const effect of step.effects) chain.answer(effect);
      return chain;
    },
    answer(effect: Effect) {
      if (effect.type === 'send_alert') {
        state = applyToChain(state, { type: 'alert_delivered', kind: effect.alert.kind, id: effect.alert.id }, now());
      } else if ('revision' in effect) {
        const about = { target: 'target' in effect ? effect.target : 'sentinel', revision: effect.revision };
        const refused = { type: 'publish_failed', ...about, code: 'disk_full', remedy: 'make room' } as const;
        state = applyToChain(state, chain.isFull ? refused : { type: 'publish_succeeded', ...about }, now());
      }
    },
    pass(ms: number) {
      elapsedMs += ms;
      return chain;
    },
    change(spec: ChainSpec) {
      state = changeChain(state, spec);
      return chain;
    },
    deadline: (views: Readonly<Record<string, Seen>>) =>
      nextChainDeadline(
        state,
        Object.entries(views).map(([credential, seen]) => view(credential, seen)),
        now(),
      ),
    /** What the effects since the last look say. */
    said(): string[] {
      return effects.splice(0).map((effect) => {
        if (effect.type === 'publish_token') return `${effect.target} <- ${effect.publication.token.accessToken}`;
        if (effect.type === 'withdraw_token') return `${effect.target} <- nothing`;
        if (effect.type === 'set_sentinel') return effect.down === null ? 'up' : `down: ${effect.down.code}`;
        return effect.type === 'send_alert' ? `alert ${effect.alert.kind} ${effect.alert.target}` : effect.type;
      });
    },
  };
  return chain;
}

describe('who is in use', () => {
  test('C3: the fallback takes over at once, and the preferred one comes back after its settling time', () => {
    const chain = createChain().see({ a: {}, b: {} });
    expect(chain.said()).toEqual(['envFile:/x/.env <- a-1', 'up']);
    chain.see({ a: DOWN, b: {} });
    expect(chain.state.inUse).toEqual({ credential: 'b', since: START });
    expect(chain.state.lastChange).toMatchObject({ from: 'a', to: 'b', lack: { reason: 'expired', code: 'timeout' } });
    expect(chain.said()).toEqual(['envFile:/x/.env <- b-1', 'hook:/x/tell#0 of b <- b-1']);

    chain.pass(SECOND).see({ a: {}, b: {} });
    expect(chain.deadline({ a: {}, b: {} })).toBe(10 * SECOND);
    chain.pass(10 * SECOND - 1).see({ a: {}, b: {} });
    expect(chain.said()).toEqual([]);
    chain.pass(1).see({ a: {}, b: {} });
    expect(chain.said()).toEqual(['envFile:/x/.env <- a-1', 'hook:/x/tell#0 of b <- nothing']);
    expect(chain.state.lastChange).toEqual({ at: START + 11 * SECOND, from: 'b', to: 'a', lack: null });
  });

  test('B3: a member that a consumer reported is left at once, but not for nothing', () => {
    const chain = createChain().see({ a: {}, b: {} });
    chain.see({ a: { standing: 'doubtful' }, b: {} });
    expect(chain.state.inUse?.credential).toBe('b');
    chain.see({ a: { standing: 'doubtful' }, b: DOWN });
    expect(chain.state.inUse?.credential).toBe('a');
    chain.see({ a: { standing: 'doubtful' }, b: { standing: 'doubtful' } });
    expect(chain.state.inUse?.credential).toBe('a');
  });

  test('C3: one whose token is about to end gives way to one that lasts, keeps its place where nobody does, and settles again', () => {
    const chain = createChain().see({ a: {}, b: {} });
    chain.see({ a: { standing: 'ending' }, b: DOWN });
    expect(chain.state.inUse?.credential).toBe('a');
    chain.see({ a: { standing: 'ending' }, b: { standing: 'doubtful' } });
    expect(chain.state.inUse?.credential).toBe('a');
    chain.see({ a: { standing: 'ending' }, b: { standing: 'ending' } });
    expect(chain.state.inUse?.credential).toBe('a');
    chain.see({ a: { standing: 'ending' }, b: {} });
    expect(chain.state.inUse?.credential).toBe('b');
    chain.pass(SECOND).see({ a: { generation: 2 }, b: {} });
    expect(chain.state.inUse?.credential).toBe('b');
    chain.pass(10 * SECOND).see({ a: { generation: 2 }, b: {} });
    expect(chain.state.inUse?.credential).toBe('a');
  });

  test('C3: a token counts as about to end five seconds before, or a tenth of its life, and the chain wakes for that', () => {
    const standingAfter = (lifeMs: number, passedMs: number, policy: Partial<Policy> = { method: 'follow' }) => {
      const life = createLife({ first: loaded(grant(1, { lifeMs })), policy });
      life.pass(passedMs);
      const { standing, turnsAt } = memberView('a', life.state, life.now);
      return [standing, turnsAt === null ? null : turnsAt - life.now.monotonicMs];
    };
    expect(standingAfter(HOUR, 0)).toEqual(['usable', HOUR - 5 * SECOND]);
    expect(standingAfter(HOUR, HOUR - 5 * SECOND - 1)).toEqual(['usable', 1]);
    expect(standingAfter(HOUR, HOUR - 5 * SECOND)).toEqual(['ending', null]);
    expect(standingAfter(20 * SECOND, 17 * SECOND)).toEqual(['usable', SECOND]);
    expect(standingAfter(20 * SECOND, 18 * SECOND)).toEqual(['ending', null]);
    expect(standingAfter(HOUR, HOUR)).toEqual(['unusable', null]);
    // A refresh that begins four seconds ahead has half of them, before the chain would turn for nothing.
    expect(standingAfter(HOUR, 0, { refreshMarginMs: 4 * SECOND })).toEqual(['usable', HOUR - 2 * SECOND]);
    expect(standingAfter(HOUR, 0, { refreshMarginMs: 0 })).toEqual(['usable', HOUR]);
    const chain = createChain().see({ a: { turnsAt: monotonicMs(1_500) }, b: {} });
    expect(chain.deadline({ a: { turnsAt: monotonicMs(1_500) }, b: {} })).toBe(500);
  });

  test('one that comes and goes is not taken, however often it comes', () => {
    const chain = createChain().see({ a: DOWN, b: {} });
    for (let n = 0; n < 20; n += 1) {
      chain.pass(9 * SECOND).see({ a: {}, b: {} });
      chain.pass(9 * SECOND).see({ a: DOWN, b: {} });
    }
    expect(chain.state.bindings).toHaveLength(1);
  });

  test('the first choice waits until every member is known, and needs no settling', () => {
    const chain = createChain().see({ a: { standing: 'absent' }, b: {} });
    expect([chain.state.inUse, chain.said()]).toEqual([null, []]);
    chain.see({ a: {}, b: {} });
    expect(chain.state.inUse?.credential).toBe('a');
    expect(chain.state.lastChange).toMatchObject({ from: null, to: 'a', lack: null });
  });

  test('D3: to begin with a fallback says what the preferred one lacks', () => {
    const chain = createChain().see({ a: DOWN, b: {} });
    expect(chain.state.lastChange).toMatchObject({ from: 'a', to: 'b', lack: { code: 'timeout' } });
  });

  test('a stale answer of the sentinel changes nothing at all', () => {
    const chain = createChain();
    chain.see({ a: DOWN, b: DOWN });
    const { revision } = chain.state.sentinel;
    const stale = { type: 'publish_succeeded', target: 'sentinel', revision: revision + 1 } as const;
    expect(applyToChain(chain.state, stale, chain.now)).toBe(chain.state);
  });

  test('with nothing usable everything is withdrawn and the sentinel says so, until one is back', () => {
    const chain = createChain().see({ a: {}, b: {} });
    chain.said();
    chain.see({ a: DOWN, b: DOWN });
    expect(chain.said()).toEqual(['envFile:/x/.env <- nothing', 'down: timeout']);
    expect(chain.state.downSince).toBe(START);
    chain.pass(SECOND).see({ a: DOWN, b: {} });
    expect(chain.said()).toEqual(['envFile:/x/.env <- b-1', 'hook:/x/tell#0 of b <- b-1', 'up']);
  });

  test('I8: a store that cannot be read after a restart takes nothing away before its end', () => {
    const unread = { a: { ...DOWN, holdsNothing: true }, b: DOWN };
    const { token } = view('a');
    const expiry = { kind: 'known', expiresAt: epochMs(START + 60 * SECOND) } as const;
    const before = createChain().see({ a: { token: token === null ? null : { ...token, expiry } }, b: DOWN });
    const chain = createChain(SPEC, rememberChain(before.state)).see(unread);
    expect(chain.said()).toEqual(['down: timeout']);
    expect(chain.deadline(unread)).toBe(60 * SECOND);
    chain.pass(60 * SECOND).see(unread);
    expect(chain.said()).toEqual(['envFile:/x/.env <- nothing']);
  });

  test('I8: what could not be taken away before a restart is taken away after it', () => {
    const before = createChain().see({ a: DOWN, b: {} });
    before.isFull = true;
    before.see({ a: {}, b: DOWN });
    const chain = createChain(SPEC, rememberChain(before.state)).see({ a: {}, b: DOWN });
    expect(chain.said()).toContain('hook:/x/tell#0 of b <- nothing');
  });

  test('B3: whatever happens when, the best there is is in use, and nothing is taken back early', () => {
    const standing = fc.constantFrom('usable', 'ending', 'doubtful', 'unusable' as const);
    const moment = fc.record({ afterMs: fc.nat(15_000), a: standing, b: standing, c: standing });
    const settle = fc.tuple(fc.nat(12_000), fc.nat(12_000), fc.nat(12_000));
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 40 }), settle, (moments, settleMs) => {
        const members = ['a', 'b', 'c'].map((credential, nth) => ({ credential, settleMs: settleMs[nth] ?? 0 }));
        const chain = createChain({ ...SPEC, members, targets: [] });
        const since = new Map<string, number>();
        for (const { afterMs, ...seen } of moments) {
          chain.pass(afterMs);
          const elapsedMs = chain.now.monotonicMs;
          for (const [name, is] of Object.entries(seen)) {
            if (is !== 'usable') since.delete(name);
            else if (!since.has(name)) since.set(name, elapsedMs);
          }
          const before = chain.state.inUse?.credential ?? null;
          const { a, b, c } = seen;
          chain.see({ a: { standing: a }, b: { standing: b }, c: { standing: c } });
          const after = chain.state.inUse?.credential ?? null;
          const best = (['usable', 'ending', 'doubtful'] as const).find((each) => [a, b, c].includes(each)) ?? 'none';
          expect(after === null ? 'none' : Object.entries(seen).find(([name]) => name === after)?.[1]).toBe(best);
          if (before === null || after === null || before === after || !since.has(before)) continue;
          const needMs = members.find(({ credential }) => credential === after)?.settleMs ?? 0;
          expect(after < before).toBe(true);
          expect(elapsedMs - (since.get(after) ?? elapsedMs)).toBeGreaterThanOrEqual(needMs);
        }
      }),
    );
  });
});

describe('generations of a chain', () => {
  test('grow with each other token, and stay with the same', () => {
    const chain = createChain().see({ a: {}, b: {} });
    const first = chain.state.generation;
    expect(first).toBe(START / 1000);
    chain.see({ a: { generation: 2 }, b: {} });
    expect(chain.state.generation).toBe(first + 1);
    chain.see({ a: { ...DOWN, generation: 2 }, b: DOWN }).see({ a: { generation: 2 }, b: DOWN });
    expect(chain.state.generation).toBe(first + 1);
    chain
      .see({ a: DOWN, b: {} })
      .pass(10 * SECOND)
      .see({ a: { generation: 2 }, b: {} });
    chain.pass(10 * SECOND).see({ a: { generation: 2 }, b: {} });
    expect(chain.state.bindings.map(({ credential, of }) => `${credential}${of}`)).toEqual(['a1', 'a2', 'b1', 'a2']);
    expect(chain.state.bindings.map(({ generation }) => generation - first)).toEqual([0, 1, 2, 20]);
  });

  test('a restart goes on with the same one for the same token, and only with the same', () => {
    const chain = createChain().see({ a: {}, b: {} }).see({ a: DOWN, b: {} });
    const memory = JSON.parse(JSON.stringify(rememberChain(chain.state)));
    const { generation } = chain.state;
    expect(createChain(SPEC, memory).see({ a: DOWN, b: {} }).state.generation).toBe(generation);
    expect(createChain(SPEC, memory).see({ a: {}, b: {} }).state.generation).toBe(generation + 1);
  });

  test.each([
    null,
    'x',
    [],
    {},
    { generation: 1 },
    { generation: 'x', bindings: [] },
    { generation: 1, bindings: [{}] },
  ])('what is no memory counts as none: %j', (memory) => {
    expect(createChain(SPEC, memory).see({ a: {}, b: {} }).state.generation).toBe(START / 1000);
  });

  test('I12: only the last sixteen are remembered', () => {
    const chain = createChain();
    for (let generation = 1; generation <= 40; generation += 1) chain.see({ a: { generation }, b: {} });
    expect(chain.state.bindings.map(({ of }) => of)).toEqual(Array.from({ length: 16 }, (_, nth) => 25 + nth));
  });
});

describe('what a chain publishes', () => {
  test('F40: a target that fails is tried again, told to a person, and called off', () => {
    const chain = createChain();
    chain.isFull = true;
    chain.see({ a: {}, b: {} });
    chain.pass(2 * SECOND).see({ a: {}, b: {} });
    expect(chain.state.deliveries[0]).toMatchObject({ status: 'failed', failures: 2, code: 'disk_full' });
    chain.see({ a: {}, b: {} });
    expect(chain.said()).toContain('alert delivery_failed envFile:/x/.env');
    chain.isFull = false;
    chain
      .pass(60 * SECOND)
      .see({ a: {}, b: {} })
      .see({ a: {}, b: {} });
    expect(chain.said()).toContain('alert delivery_restored envFile:/x/.env');
  });

  test('a remark stays with what is done, and is looked at again', () => {
    const chain = createChain();
    chain.answer = () => undefined;
    chain.see({ a: {}, b: {} });
    const [effect] = chain.effects;
    if (effect?.type !== 'publish_token') throw new Error('expected a publication');
    const remark = { code: 'foreign_value', remedy: 'remove it' };
    const about = { target: effect.target, revision: effect.revision, remark };
    const after = applyToChain(chain.state, { type: 'publish_succeeded', ...about }, chain.now);
    expect(after.deliveries[0]).toMatchObject({ status: 'done', holds: after.generation, ...remark });
    expect(after.deliveries[0]?.retryDue).toBe(chain.now.monotonicMs + LIMITS.deliveryRetryMaxMs);
  });

  test('the hook of a member that was not in use before a restart is not told of its end', () => {
    const chain = createChain().see({ a: {}, b: {} });
    expect(chain.said()).toEqual(['envFile:/x/.env <- a-1', 'up']);
    const memory = rememberChain(createChain().see({ a: DOWN, b: {} }).state);
    const restarted = createChain(SPEC, memory).see({ a: {}, b: {} });
    expect(restarted.said()).toContain('hook:/x/tell#0 of b <- nothing');
  });

  test('other members and targets are taken over as they are configured, and what all share is told anew', () => {
    const chain = createChain().see({ a: {}, b: {} });
    chain.said();
    const members = ['b', 'c'].map((credential) => ({ credential, settleMs: 0 }));
    chain.change({ ...SPEC, members }).see({ b: {}, c: { standing: 'absent' } });
    expect(chain.state.lastChange).toMatchObject({ from: 'a', to: 'b', lack: { reason: 'not_a_member' } });
    expect(chain.said()).toEqual(['envFile:/x/.env <- b-1', 'hook:/x/tell#0 of b <- b-1']);
    chain.change({ ...SPEC, members, targets: [] }).see({ b: {}, c: {} });
    expect([chain.state.deliveries, chain.said()]).toEqual([[], []]);
  });
});
