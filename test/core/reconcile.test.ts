import { describe, expect, it } from 'vitest';
import type { JournalFinding } from '../../src/core/event.ts';
import { epochMs, type Fingerprint } from '../../src/core/token.ts';
import {
  createLife,
  failing,
  grant,
  HOUR,
  type Life,
  loaded,
  MINUTE,
  missing,
  moved,
  POLICY,
  SECOND,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;

/** A credential whose process was killed while its first refresh was under way. */
function killed(options: Parameters<typeof createLife>[0] = {}): Life {
  const life = createLife(options);
  life.pass(DUE);
  expect(life.state).toMatchObject({ phase: { kind: 'refreshing', stage: 'running' }, attempt: 1 });
  return life;
}

const opened = (life: Life, about: Partial<JournalFinding> = {}): JournalFinding => ({
  attempt: 1,
  fingerprint: 'r1' as Fingerprint,
  beganAt: life.now.wallMs,
  answer: null,
  ...about,
});

const answer = (life: Life, serial = 2) => ({
  grant: grant(serial, { issuedAt: life.now.wallMs }),
  response: { access_token: 'secret' },
});

const typesOf = (life: Life) => life.effects.map(({ type }) => type);

describe('an attempt that the journal shows open at start', () => {
  it('F16 F33: an answer in the journal is stored and published, and nothing is sent', () => {
    const life = killed();
    const journal = opened(life, { answer: answer(life) });
    life.restart(loaded(grant(1), journal));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2', superseded: ['r1'], attempt: 1 });
    expect(life.state.held?.token.fingerprint).toBe('a2');
    expect(life.effects).toContainEqual(
      expect.objectContaining({ type: 'persist_token', attempt: 1, expected: 'r1', answer: journal.answer }),
    );
    expect(life.effects).toContainEqual({ type: 'close_attempt', attempt: 1, journal: 'empty' });
    expect(typesOf(life)).not.toContain('begin_attempt');
  });

  for (const [how, forgets] of [
    ['', false],
    [', also when the memory is gone with it', true],
  ] as const) {
    it(`F37 F33: of what stood in a damaged journal nobody knows: the next send is a guarded one${how}`, () => {
      const life = killed();
      life.server = failing({ class: 'terminal', code: 'invalid_grant' });
      const journal = opened(life, { attempt: 0, fingerprint: null, beganAt: epochMs(0), isIllegible: true });
      life.restart(loaded(grant(1), journal), { forgets });
      expect(life.state).toMatchObject({ grant: 'r1', doubt: { fingerprint: 'r1', sends: 0 } });
      expect(typesOf(life)).not.toContain('begin_attempt');
      life.pass(MINUTE);
      expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'lost_response' });
    });
  }

  it('F16: an answer that the store still does not take is kept, served and tried again; its predecessor is not sent', () => {
    const life = killed();
    const journal = opened(life, { answer: answer(life) });
    life.answer = ({ type }) =>
      type === 'persist_token' ? { type: 'persist_failed', attempt: 1, code: 'disk_full', winner: null } : undefined;
    life.restart(loaded(grant(1), journal));
    life.pass(HOUR);
    expect(life.state.unpersisted).toMatchObject({ expected: 'r1', code: 'disk_full' });
    expect(life.state.held?.token.fingerprint).toBe('a2');
    expect(typesOf(life)).not.toContain('begin_attempt');
  });

  it('F16 F33: an answer whose access token is over sooner than the stored one still brought the next refresh token', () => {
    const life = killed();
    const short = {
      grant: grant(2, { issuedAt: life.now.wallMs, lifeMs: SECOND }),
      response: { access_token: 'secret' },
    };
    life.restart(loaded(grant(1), opened(life, { answer: short })));
    expect(life.effects).toContainEqual(
      expect.objectContaining({ type: 'persist_token', expected: 'r1', answer: short }),
    );
    expect(life.state).toMatchObject({ grant: 'r2', superseded: ['r1'] });
  });

  it('F34 F84: an answer that the store holds already is published under a new generation, without a refresh', () => {
    const life = killed();
    const { generation } = life.state;
    const journal = opened(life, { answer: answer(life) });
    life.restart(loaded(grant(2, { issuedAt: life.now.wallMs }), journal));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, superseded: ['r1'] });
    expect(life.state.generation).toBeGreaterThan(generation);
    expect(typesOf(life)).toEqual(expect.arrayContaining(['publish_token', 'close_attempt']));
    expect(typesOf(life)).not.toContain('persist_token');
  });

  it('F72: a store that holds another login wins over the answer', () => {
    const life = killed();
    const journal = opened(life, { answer: answer(life) });
    life.restart(loaded(grant(7, { issuedAt: life.now.wallMs }), journal));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r7', doubt: null });
    expect(typesOf(life)).not.toContain('persist_token');
  });

  it('F3 F32: without an answer, what was sent is in doubt: sent again once, guarded, after things have settled', () => {
    const life = killed();
    life.server = serving();
    const journal = opened(life);
    life.restart(loaded(grant(1), journal), { downMs: 60 * SECOND });
    expect(life.state).toMatchObject({ phase: { kind: 'backing_off' }, doubt: { fingerprint: 'r1', sends: 0 } });
    expect(typesOf(life)).not.toContain('begin_attempt');
    life.pass(POLICY.settleMs);
    expect(life.effects).toContainEqual(expect.objectContaining({ type: 'begin_attempt', attempt: 2, expected: 'r1' }));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, doubt: null });
  });

  it('the floor counts from the attempt that the journal shows, also when the memory is lost', () => {
    const life = killed();
    const journal = opened(life, { beganAt: epochMs(life.now.wallMs), attempt: 9 });
    const fresh = createLife({
      first: loaded(grant(1), journal),
      at: { ...life.now, wallMs: epochMs(life.now.wallMs + SECOND) },
    });
    fresh.pass(8 * SECOND);
    expect(fresh.attempts).toEqual([]);
    fresh.pass(SECOND);
    expect(fresh.attempts).toEqual([9 * SECOND]);
    expect(fresh.state.attempt).toBe(10);
  });

  it('F33 F78: an answer that refuses the guarded send is a lost response', () => {
    const life = killed();
    life.server = failing({ class: 'terminal', code: 'invalid_grant' });
    life.restart(loaded(grant(1), opened(life)));
    life.pass(MINUTE);
    expect(life.state.phase).toMatchObject({ kind: 'reauthorization_required', reason: 'lost_response' });
  });

  it('a store that moved meanwhile is adopted, and there is no doubt', () => {
    const life = killed();
    life.restart(loaded(grant(2, { issuedAt: life.now.wallMs }), opened(life)));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r2', doubt: null });
    expect(life.effects).toContainEqual({ type: 'close_attempt', attempt: 1, journal: 'empty' });
  });

  it('a store that is gone keeps the doubt until it is back', () => {
    const life = killed();
    life.restart({ ...missing, journal: opened(life) } as typeof missing);
    expect(life.state.doubt).toMatchObject({ fingerprint: 'r1', sends: 0 });
    life.dispatch(moved(grant(1)));
    expect(life.state).toMatchObject({ doubt: { fingerprint: 'r1' } });
    life.pass(HOUR);
    expect(life.effects).toContainEqual(expect.objectContaining({ type: 'begin_attempt', expected: 'r1' }));
  });

  it('a tool that writes its store leaves no doubt: it is run again after the flat interval', () => {
    const life = killed({ policy: { resultInStore: true } });
    const journal = opened(life);
    life.restart(loaded(grant(1, { lifeMs: 7 * HOUR }), journal));
    expect(life.state.doubt).toBeNull();
    expect(typesOf(life)).not.toContain('begin_attempt');
    life.pass(5 * MINUTE);
    expect(typesOf(life)).toContain('begin_attempt');
  });
});
