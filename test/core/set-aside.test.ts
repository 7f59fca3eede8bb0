import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/core/effect.ts';
import { remember } from '../../src/core/memory.ts';
import type { Answer, Fingerprint } from '../../src/core/token.ts';
import {
  blanked,
  createLife,
  failing,
  grant,
  HOUR,
  type Life,
  type LifeOptions,
  loaded,
  MINUTE,
  missing,
  moved,
  SECOND,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;
const refusing = failing({ class: 'terminal', code: 'invalid_grant' });

/** A credential whose first refresh brought `r1001`, while its tool had stored `r2` (a token for `lifeMs`) in between. */
function overtaken(options: LifeOptions & { readonly lifeMs?: number } = {}): Life {
  const { lifeMs = HOUR, ...others } = options;
  const life = createLife({ server: serving({ lifeMs: 3 * HOUR }), ...others });
  const before = life.answer;
  life.answer = (effect, now) =>
    effect.type === 'persist_token'
      ? { type: 'persist_failed', attempt: effect.attempt, code: 'store_changed', winner: winner(now.wallMs, lifeMs) }
      : before?.(effect, now);
  life.pass(DUE);
  expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2' });
  life.answer = before;
  return life;
}

const winner = (issuedAt: number, lifeMs: number) => grant(2, { issuedAt, lifeMs });

const of = <T extends Effect['type']>(life: Life, type: T) =>
  life.effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);

const sentAside = (life: Life) => of(life, 'begin_attempt').flatMap(({ setAside }) => setAside ?? []);

const keptOf = (life: Life): Answer => {
  if (life.state.setAside === null) throw new Error('nothing is set aside');
  return life.state.setAside.answer;
};

describe('F72: an answer that the store refused because it had changed', () => {
  it('is set aside, in the journal too, and what the store holds is served', () => {
    const life = overtaken();
    expect(keptOf(life).grant.fingerprint).toBe('r1001');
    expect(of(life, 'close_attempt')).toEqual([{ type: 'close_attempt', attempt: 1, journal: 'set_aside' }]);
    expect(life.state.held?.token.fingerprint).toBe('a2');
    expect(JSON.stringify(remember(life.state, life.now))).not.toContain('secret');
  });

  it('is sent once when what the store holds is refused, before anybody is asked', () => {
    const life = overtaken();
    life.server = (attempt, now) => (attempt === 2 ? refusing : serving())(attempt, now);
    life.pass(HOUR);
    expect(sentAside(life).map(({ grant: { fingerprint } }) => fingerprint)).toEqual(['r1001']);
    expect(of(life, 'begin_attempt').at(-1)).toMatchObject({ reason: 'set_aside', expected: 'r2' });
    expect(of(life, 'persist_token').at(-1)).toMatchObject({ expected: 'r2' });
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1003', setAside: null });
    expect(of(life, 'forget_set_aside')).toHaveLength(1);
    expect(life.alerts).toEqual([]);
  });

  it('is not sent again when it is refused too: a person is asked, and what the store holds stays latched', () => {
    const life = overtaken();
    life.server = refusing;
    life.pass(HOUR);
    expect(life.attempts).toHaveLength(3);
    expect(life.state).toMatchObject({
      phase: { kind: 'reauthorization_required', reason: 'terminal' },
      refusal: { fingerprint: 'r2' },
      setAside: null,
    });
    expect(life.alerts).toEqual(['reauthorization_required']);
    life.dispatch(moved(winner(life.now.wallMs - HOUR, HOUR)));
    life.pass(24 * HOUR);
    expect(life.attempts).toHaveLength(3);
  });

  it.each([
    ['broken', { type: 'state_broken', reason: 'state_broken', detail: 'cut off' } as const],
    ['another’s by then', { type: 'store_changed', grant: grant(7) } as const],
  ])('is not sent again when it is refused and the store is %s', (_name, found) => {
    const life = overtaken();
    life.server = (attempt, now) => (attempt === 2 ? refusing(attempt, now) : { ...found, attempt });
    life.pass(HOUR - 20 * MINUTE + 20 * SECOND);
    expect(sentAside(life)).toHaveLength(1);
    expect(life.state).toMatchObject({ setAside: null, superseded: expect.arrayContaining(['r1001']) });
    life.server = refusing;
    life.dispatch(blanked);
    life.pass(HOUR);
    expect(sentAside(life)).toHaveLength(1);
  });

  it('is not sent again when no answer came', () => {
    const life = overtaken();
    life.server = (attempt, now) => (attempt === 2 ? refusing(attempt, now) : 'hang');
    life.pass(24 * HOUR);
    expect(life.attempts).toHaveLength(3);
    expect(life.state).toMatchObject({ phase: { kind: 'reauthorization_required', reason: 'terminal' }, doubt: null });
  });

  it('is sent when the network is back, if it surely was not sent before', () => {
    const life = overtaken();
    const unreachable = failing({ code: 'unreachable', unsent: true });
    life.server = (attempt, now) => (attempt === 2 ? refusing : attempt < 6 ? unreachable : serving())(attempt, now);
    life.pass(2 * HOUR);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, setAside: null });
    expect(new Set(sentAside(life).map(({ grant: { fingerprint } }) => fingerprint))).toEqual(new Set(['r1001']));
    expect(life.alerts).not.toContain('reauthorization_required');
  });

  it('is stored, and nothing is sent, when the tool blanks its store while the token is good', () => {
    const life = overtaken();
    const kept = keptOf(life);
    life.dispatch(blanked);
    expect(of(life, 'persist_token').at(-1)).toMatchObject({ answer: kept });
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1001', setAside: null });
    expect(life.state.held?.token.fingerprint).toBe('a1001');
    expect(life.state.superseded).not.toContain('r1001');
    expect(life.attempts).toHaveLength(1);
    expect(life.alerts).toEqual([]);
  });

  it.each([
    ['blanked', blanked],
    ['gone', missing],
  ])('is sent when the store is %s and the token has expired', (_name, event) => {
    const life = overtaken({ lifeMs: 6 * HOUR });
    life.server = serving();
    life.pass(4 * HOUR);
    life.dispatch(event);
    expect(of(life, 'begin_attempt').at(-1)).toMatchObject({ reason: 'set_aside', expected: null });
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1002', setAside: null });
  });

  it('waits for an empty store where the script looks for itself: it would send what was refused', () => {
    const life = overtaken({ policy: { takesTokens: false } });
    life.server = refusing;
    life.pass(HOUR);
    expect(life.state).toMatchObject({ phase: { kind: 'reauthorization_required', reason: 'terminal' } });
    expect(life.attempts).toHaveLength(2);
    const kept = keptOf(life);
    life.dispatch(missing);
    expect(of(life, 'persist_token').at(-1)).toMatchObject({ answer: kept });
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1001' });
  });

  it('is forgotten once a later answer is stored', () => {
    const life = overtaken();
    life.server = serving();
    life.pass(HOUR);
    expect(life.state).toMatchObject({ grant: 'r1002', setAside: null });
    expect(life.state.superseded).toContain('r1001');
    expect(of(life, 'forget_set_aside')).toHaveLength(1);
    expect(sentAside(life)).toEqual([]);
  });

  it('is not kept for the login of another account, nor where it brought no new refresh token', () => {
    const won = (account: string, refreshSerial: number) => {
      const life = createLife({ server: serving({ account: 'ann', refreshSerial }) });
      life.answer = ({ type }) =>
        type === 'persist_token'
          ? { type: 'persist_failed', attempt: 1, code: 'store_changed', winner: grant(2, { account }) }
          : undefined;
      life.pass(DUE);
      return life;
    };
    expect(won('ann', 1001).state.setAside).not.toBeNull();
    for (const life of [won('bob', 1001), won('ann', 1)]) {
      expect(life.state.setAside).toBeNull();
      expect(of(life, 'close_attempt')).toEqual([{ type: 'close_attempt', attempt: 1, journal: 'empty' }]);
    }
  });
});

describe('F72: what was set aside, over a restart', () => {
  const restarted = (life: Life, kept: Answer) =>
    life.restart({ ...loaded(winner(life.now.wallMs - HOUR, HOUR)), setAside: kept } as ReturnType<typeof loaded>);

  it('is taken from the journal and tried when its time comes', () => {
    const life = overtaken();
    const kept = keptOf(life);
    life.server = (attempt, now) => (attempt === 2 ? refusing : serving())(attempt, now);
    restarted(life, kept);
    life.pass(HOUR);
    expect(sentAside(life)).toEqual([kept]);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1003' });
  });

  it('is tried without sending again what was refused before', () => {
    const life = overtaken();
    const kept = keptOf(life);
    life.server = refusing;
    life.answer = ({ type }) => (type === 'begin_attempt' && life.state.attempt === 3 ? null : undefined);
    life.pass(HOUR - 20 * MINUTE + 20 * SECOND);
    expect(life.state.phase).toMatchObject({ kind: 'refreshing', reason: 'set_aside', stage: 'recording' });
    life.answer = undefined;
    life.server = serving();
    restarted(life, kept);
    life.pass(MINUTE);
    expect(of(life, 'begin_attempt')).toHaveLength(1);
    expect(sentAside(life)).toEqual([kept]);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, setAside: null });
  });

  it('is not sent again when the process died while it was sent', () => {
    const life = overtaken();
    const kept = keptOf(life);
    life.server = (attempt, now) => (attempt === 2 ? refusing(attempt, now) : 'hang');
    life.pass(HOUR - 20 * MINUTE + 20 * SECOND);
    expect(life.state.phase).toMatchObject({ kind: 'refreshing', reason: 'set_aside', stage: 'running' });
    const journal = {
      attempt: 3,
      fingerprint: 'r1001' as Fingerprint,
      found: 'r2' as Fingerprint,
      beganAt: life.now.wallMs,
      answer: null,
    };
    const first = loaded(winner(life.now.wallMs - HOUR, HOUR), journal);
    life.restart({ ...first, setAside: kept } as typeof first);
    life.pass(HOUR);
    expect(of(life, 'begin_attempt')).toEqual([]);
    expect(of(life, 'forget_set_aside')).toHaveLength(1);
    expect(life.state).toMatchObject({
      phase: { kind: 'reauthorization_required', reason: 'terminal' },
      refusal: { fingerprint: 'r2' },
      setAside: null,
      doubt: null,
    });
  });

  it('is replaced by its own answer when the process died before that was stored', () => {
    const life = overtaken();
    const kept = keptOf(life);
    life.server = (attempt, now) => (attempt === 2 ? refusing(attempt, now) : 'hang');
    life.pass(HOUR - 20 * MINUTE + 20 * SECOND);
    const answer = { grant: grant(9, { issuedAt: life.now.wallMs }), response: { access_token: 'secret' } };
    const journal = {
      attempt: 3,
      fingerprint: 'r1001' as Fingerprint,
      found: 'r2' as Fingerprint,
      beganAt: life.now.wallMs,
      answer,
    };
    const first = loaded(winner(life.now.wallMs - HOUR, HOUR), journal);
    life.restart({ ...first, setAside: kept } as typeof first);
    expect(of(life, 'persist_token')).toEqual([expect.objectContaining({ answer, expected: 'r2' })]);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r9', setAside: null });
    expect(life.state.superseded).toEqual(expect.arrayContaining(['r2', 'r1001']));
  });

  it.each([
    ['blanked', blanked],
    ['gone', missing],
  ])('an answer in the journal is stored when the store is %s', (_name, event) => {
    const life = createLife();
    life.pass(DUE);
    const answer = { grant: grant(2, { issuedAt: life.now.wallMs }), response: { access_token: 'secret' } };
    const journal = { attempt: 1, fingerprint: 'r1' as Fingerprint, beganAt: life.now.wallMs, answer };
    life.restart({ ...event, journal } as typeof event);
    expect(of(life, 'persist_token')).toEqual([expect.objectContaining({ answer })]);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2' });
    expect(life.alerts).toEqual([]);
  });

  it('an answer in the journal is set aside when the store holds another login', () => {
    const life = createLife();
    life.pass(DUE);
    const answer = { grant: grant(2, { issuedAt: life.now.wallMs }), response: { access_token: 'secret' } };
    const journal = { attempt: 1, fingerprint: 'r1' as Fingerprint, beganAt: life.now.wallMs, answer };
    life.restart(loaded(grant(7, { issuedAt: life.now.wallMs }), journal));
    expect(keptOf(life)).toEqual(answer);
    expect(of(life, 'close_attempt')).toEqual([{ type: 'close_attempt', attempt: 1, journal: 'set_aside' }]);
  });
});
