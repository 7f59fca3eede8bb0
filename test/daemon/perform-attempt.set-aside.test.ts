import { describe, expect, test } from 'vitest';
import type { Answer, Fingerprint } from '../../src/core/token.ts';
import { answerOf, build, EXPECTED, grantOf, REFUSED } from './attempt-arrange.ts';
import { fingerprint, tokens } from './fakes.ts';

describe('F72: an answer that was set aside', () => {
  const KEPT: Answer = {
    grant: { ...grantOf(tokens({ refreshToken: 'refresh-5' })), token: null },
    response: { access_token: 'access-5', refresh_token: 'refresh-5', expires_in: 3_600 },
  };
  const beginWith = ({ attempts }: ReturnType<typeof build>, expected: Fingerprint | null) =>
    attempts.begin('a', {
      type: 'begin_attempt',
      attempt: 1,
      reason: 'set_aside',
      expected,
      guarded: false,
      setAside: KEPT,
    });

  test('is sent in place of what the store holds, and the journal names both', async () => {
    const built = build();
    await beginWith(built, EXPECTED);
    await built.run();
    expect(built.refresh.requests).toMatchObject([{ tokens: { refreshToken: 'refresh-5' } }]);
    expect(built.journal.entries.get('a')).toMatchObject({ fingerprint: fingerprint('refresh-5'), found: EXPECTED });
    expect(built.events.at(-1)).toMatchObject({ type: 'refresh_succeeded' });
  });

  test('is sent over a blanked store, but not over one that came back, nor over one that cannot be understood', async () => {
    const blanked = build();
    blanked.store.reading = { kind: 'blanked', detail: 'emptied' };
    await beginWith(blanked, null);
    const back = build();
    await beginWith(back, null);
    const broken = build();
    broken.store.reading = { kind: 'broken', detail: 'half' };
    await beginWith(broken, null);
    const types = [blanked, back, broken].map(({ events }) => events.map(({ type }) => type));
    expect(types).toEqual([['attempt_recorded'], ['store_changed'], ['state_broken']]);
  });

  test('a refusal of it is a verdict: the store did not move by holding something else all along', async () => {
    const built = build({ outcome: REFUSED });
    await beginWith(built, EXPECTED);
    await built.run();
    expect(built.events.at(-1)).toMatchObject({ type: 'refresh_failed', failure: { code: 'invalid_grant' } });
  });

  test('is moved aside in the journal when its attempt is closed', async () => {
    const built = build();
    const answer = await answerOf(built);
    await built.attempts.record('a', { type: 'record_answer', attempt: 1, answer });
    await built.attempts.close('a', { type: 'close_attempt', attempt: 1, journal: 'set_aside' });
    expect(built.journal.entries.size).toBe(0);
    expect(built.journal.setAsides.get('a')?.response).toEqual(answer.response);
    await built.attempts.forgetSetAside('a');
    expect(built.journal.setAsides.size).toBe(0);
  });
});
