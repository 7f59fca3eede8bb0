/** Every situation of a chain of three, and machines that are wrong in one way each: the walk has to notice. */
import { describe, expect, test } from 'vitest';
import type { MemberView } from '../../src/core/chain-state.ts';
import { walkChains } from './model/chain-walk.ts';
import { type Machine, REAL } from './model/chain-world.ts';

describe('every situation that a chain can come into', () => {
  test.each([
    { of: 'three members', size: { hook: false, moving: ['a', 'b', 'c'] } },
    { of: 'two members and a hook', size: { hook: true, moving: ['a', 'b'] } },
  ] as const)(
    'C3, B3: the best of $of is in use, at once downwards and settled upwards',
    ({ of, size }) => {
      const { states, steps } = walkChains(REAL, size);
      console.info(`walk over ${of}: ${states} situations, ${steps} steps`);
      expect(states).toBeGreaterThan(5_000);
    },
    120_000,
  );
});

type Step = Machine['step'];
type Views = readonly MemberView[];

/** The chain is shown something else than there is. */
const seeing =
  (change: (views: Views, ...rest: Parameters<Step>) => Views): Step =>
  (state, views, now) =>
    REAL.step(state, change(views, state, views, now), now);

const withView = (views: Views, is: (view: MemberView) => boolean, change: Partial<MemberView>): Views =>
  views.map((view) => (is(view) ? { ...view, ...change } : view));

/** Each is wrong in one way. */
const MUTANTS: Readonly<Record<string, Partial<Machine>>> = {
  'no time to settle': {
    step: (state, views, now) => {
      const members = state.members.map((member) => ({ ...member, settleMs: 0 }));
      const { state: after, effects } = REAL.step({ ...state, members }, views, now);
      return { state: { ...after, members: after.members.map((one) => ({ ...one, settleMs: 10_000 })) }, effects };
    },
  },
  'a member that is down is kept for a moment': {
    step: (state, views, now) => {
      const isGone = views.some(
        ({ credential, standing }) => credential === state.inUse?.credential && standing === 'unusable',
      );
      const justNow = state.lastChange !== null && now.wallMs - state.lastChange.at < 5_000;
      return isGone && justNow ? { state, effects: [] } : REAL.step(state, views, now);
    },
  },
  'a reported member is as good as any': {
    step: seeing((views) => withView(views, ({ standing }) => standing === 'doubtful', { standing: 'usable' })),
  },
  'a reported member is worth nothing': {
    step: seeing((views) => withView(views, ({ standing }) => standing === 'doubtful', { standing: 'unusable' })),
  },
  'the first choice does not wait for all': {
    step: seeing((views) => withView(views, ({ standing }) => standing === 'absent', { standing: 'unusable' })),
  },
  'the last one wins': {
    step: (state, views, now) => {
      const { state: after, effects } = REAL.step({ ...state, members: state.members.toReversed() }, views, now);
      return { state: { ...after, members: after.members.toReversed() }, effects };
    },
  },
  'it never goes back': {
    step: seeing((views, state) => {
      const rank = views.findIndex(({ credential }) => credential === state.inUse?.credential);
      const isUsable = views[rank]?.standing === 'usable';
      return views.map((view, nth) => (isUsable && nth < rank ? { ...view, standing: 'unusable' } : view));
    }),
  },
  'the wait for a way back is forgotten': {
    deadline: (state, views, now) => REAL.deadline({ ...state, members: [] }, views, now),
  },
  'a generation comes back with its member': {
    step: (state, views, now) => {
      const { state: after, effects } = REAL.step(state, views, now);
      const { inUse } = after;
      const former = after.bindings.slice(0, -1).findLast(({ credential }) => credential === inUse?.credential);
      return former === undefined
        ? { state: after, effects }
        : { state: { ...after, generation: former.generation }, effects };
    },
  },
  'a new token has the old generation': {
    step: seeing((views) => views.map((view) => (view.token === null ? view : { ...view, generation: 1 }))),
  },
  'a switch empties the file first': {
    step: (state, views, now) => {
      const { state: after, effects } = REAL.step(state, views, now);
      const first = effects.flatMap((effect) =>
        effect.type === 'publish_token' && state.inUse?.credential !== after.inUse?.credential
          ? [{ type: 'withdraw_token', target: effect.target, revision: effect.revision } as const, effect]
          : [effect],
      );
      return { state: after, effects: first };
    },
  },
  'the former member is published': {
    step: (state, views, now) => {
      const { state: after, effects } = REAL.step(state, views, now);
      const { inUse } = state;
      if (inUse === null) return { state: after, effects };
      const wrong = effects.map((effect) =>
        effect.type === 'publish_token'
          ? { ...effect, publication: { ...effect.publication, credential: inUse.credential } }
          : effect,
      );
      return { state: after, effects: wrong };
    },
  },
  'it says the same again': {
    step: (state, views, now) =>
      REAL.step({ ...state, deliveries: state.deliveries.map((one) => ({ ...one, told: 'unknown' })) }, views, now),
  },
};

describe('the walk says no to a machine of which', () => {
  test.each(Object.entries(MUTANTS))('%s', (_name, wrong) => {
    expect(() => walkChains({ ...REAL, ...wrong }, { hook: false, moving: ['a', 'b', 'c'] })).toThrow(
      /^invariant broken: .*by way of/,
    );
  });
});
