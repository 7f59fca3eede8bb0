import { describe, expect, it } from 'vitest';
import { readiness } from '../../src/core/view.ts';
import {
  createLife,
  failing,
  grant,
  HOUR,
  type LifeOptions,
  loaded,
  MINUTE,
  POLICY,
  SECOND,
  START,
  serving,
} from './life.ts';

const refusing =
  (target: string, isRefusing: () => boolean = () => true): LifeOptions['answer'] =>
  (effect) =>
    effect.type === 'publish_token' && effect.target === target && isRefusing()
      ? { type: 'publish_failed', target, revision: effect.revision, code: 'disk_full', remedy: 'make room' }
      : undefined;

describe('each target is told, fails and is retried alone', () => {
  it('F40: one that fails is tried again after 2 s, doubling to a minute; the other has its token', () => {
    const life = createLife({ targets: ['env', 'file'], answer: refusing('env') });
    life.pass(3 * MINUTE);
    const revisions = life.effects.flatMap((e) =>
      e.type === 'publish_token' && e.target === 'env' ? [e.revision] : [],
    );
    expect(revisions).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(life.state.deliveries.map(({ status, holds }) => [status, holds])).toEqual([
      ['failed', 'unknown'],
      ['done', life.state.generation],
    ]);
    expect(readiness(life.state, life.now)).toEqual({ ready: false, reason: 'not_delivered' });
    expect(life.newAlerts()).toEqual(['delivery_failed']);
  });

  it('an answer to an older command is stale', () => {
    const life = createLife({ answer: ({ type }) => (type === 'publish_token' ? null : undefined), server: serving() });
    life.pass(2 * MINUTE);
    const { revision = 0 } = life.state.deliveries[0] ?? {};
    expect(revision).toBeGreaterThan(1);
    const before = life.state;
    life.dispatch({ type: 'publish_succeeded', target: 'env', revision: revision - 1 });
    expect(life.state.deliveries).toEqual(before.deliveries);
  });

  it('one that comes and goes is announced once in six hours, and called off once', () => {
    let isFull = true;
    const life = createLife({
      first: loaded(grant(1, { lifeMs: HOUR })),
      answer: refusing('env', () => isFull),
      server: serving({ lifeMs: HOUR }),
    });
    for (let n = 0; n < 5; n += 1) {
      isFull = true;
      life.pass(40 * MINUTE);
      isFull = false;
      life.pass(2 * MINUTE);
    }
    expect(life.newAlerts()).toEqual(['delivery_failed', 'delivery_restored']);
  });

  it('F48: a target that heals after the clock was set back is called off once, and not for ever', () => {
    let isFull = true;
    let called = 0;
    const life = createLife({
      answer: (effect, now) => {
        if (effect.type === 'send_alert' && effect.alert.kind === 'delivery_restored') called += 1;
        if (called > 5) throw new Error('called off without end');
        return refusing('env', () => isFull)?.(effect, now);
      },
    });
    life.pass(MINUTE);
    life.sleep({ wall: -HOUR, monotonic: SECOND });
    isFull = false;
    life.pass(2 * MINUTE);
    expect(life.newAlerts()).toEqual(['delivery_failed', 'delivery_restored']);
  });

  it('a failure that no sink took is not called off', () => {
    let isFull = true;
    const life = createLife({
      answer: (effect, now) =>
        effect.type === 'send_alert' && effect.alert.kind === 'delivery_failed'
          ? { type: 'alert_failed', kind: effect.alert.kind, id: effect.alert.id }
          : refusing('env', () => isFull)?.(effect, now),
    });
    life.pass(MINUTE);
    isFull = false;
    life.pass(2 * MINUTE);
    expect(life.alerts).toEqual([]);
    expect(life.state.alerts).toEqual([]);
  });

  it('a target that is configured no longer takes its alerts along', () => {
    const life = createLife({ answer: refusing('env') });
    life.pass(MINUTE);
    expect(life.state.alerts).toHaveLength(1);
    life.dispatch({ type: 'policy_changed', policy: POLICY, targets: ['file'] });
    expect(life.state.alerts).toEqual([]);
    expect(life.state.deliveries.map(({ target, status }) => [target, status])).toEqual([['file', 'done']]);
  });
});

describe('C4 I8: expiry reaches files and sentinel in the step that sees it', () => {
  it('C4: the sentinel says since when and why, steadily, and goes with the next good token', () => {
    const life = createLife({ server: failing({ code: 'unreachable', unsent: true }) });
    life.pass(8 * HOUR);
    life.pass(2 * HOUR);
    life.server = serving();
    life.pass(30 * MINUTE);
    const said = life.effects.flatMap((effect) => (effect.type === 'set_sentinel' ? [effect.down] : []));
    expect(said).toEqual([null, { since: START + 8 * HOUR, reason: 'expired', code: 'unreachable' }, null]);
  });

  it('a withdrawal that fails is repeated, and its success ends it', () => {
    let tries = 0;
    const life = createLife({
      server: failing({ code: 'unreachable', unsent: true }),
      answer: (effect) => {
        if (effect.type !== 'withdraw_token') return undefined;
        tries += 1;
        return tries > 2
          ? undefined
          : { type: 'publish_failed', target: 'env', revision: effect.revision, code: 'foreign_value', remedy: '' };
      },
    });
    life.pass(8 * HOUR + 10 * SECOND);
    expect(tries).toBe(3);
    expect(life.state.deliveries[0]).toMatchObject({ status: 'done', holds: null, failures: 0 });
  });
});
