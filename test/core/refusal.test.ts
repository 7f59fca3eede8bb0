import { describe, expect, it } from 'vitest';
import { epochMs } from '../../src/core/token.ts';
import {
  blanked,
  broken,
  createLife,
  failing,
  grant,
  HOUR,
  loaded,
  MINUTE,
  missing,
  moved,
  SECOND,
  serving,
} from './life.ts';

const DUE = 7 * HOUR + 30 * MINUTE;

describe('what a server refused stays refused', () => {
  it('F78: what was lost stays lost, whatever stood in the way or in the store meanwhile, and is not sent for it', () => {
    const life = createLife({ server: failing({ code: 'http_502', doubt: true }) });
    life.pass(DUE);
    life.server = failing({ class: 'terminal', code: 'invalid_grant' });
    life.pass(MINUTE);
    const lost = { kind: 'reauthorization_required', reason: 'lost_response', code: 'lost_response', local: false };
    expect(life.state.phase).toMatchObject(lost);
    // An operator's attempt meets a script that is not there.
    life.server = failing({ class: 'config', code: 'script_missing', origin: 'local', unsent: true });
    life.dispatch({ type: 'refresh_requested', cause: 'operator', force: true });
    expect(life.state.phase).toMatchObject({ reason: 'config', code: 'script_missing', local: true });
    const attempts = life.attempts.length;
    life.pass(2 * MINUTE);
    expect(life.state.phase).toMatchObject(lost);
    for (const spoiled of [broken, blanked, missing]) {
      life.dispatch(spoiled);
      life.restart(spoiled);
      expect(life.state.phase).not.toMatchObject(lost);
      life.dispatch(moved(grant(1)));
      expect(life.state.phase).toMatchObject(lost);
    }
    life.pass(HOUR);
    expect(life.attempts).toHaveLength(attempts);
    life.dispatch(moved(grant(2, { issuedAt: life.now.wallMs })));
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, refusal: null });
  });

  it('F9: a start takes a refused configuration for mended: one attempt, and no second alert if it is not', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client', origin: 'server' }) });
    life.pass(DUE);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.restart(loaded(grant(1)));
    life.pass(MINUTE);
    expect(life.state.phase).toMatchObject({ reason: 'config', code: 'invalid_client', local: false });
    expect(life.attempts).toHaveLength(2);
    life.pass(5 * HOUR);
    expect([life.attempts.length, life.newAlerts()]).toEqual([2, []]);
    life.server = serving({ issuedAt: life.now.wallMs });
    life.restart(loaded(grant(1)));
    life.pass(MINUTE);
    expect([life.state.phase.kind, life.newAlerts()]).toEqual(['fresh', ['restored']]);
  });

  it('F9: a configuration that a server refused is probed on, also after a store that was broken holds the same again', () => {
    const life = createLife({ server: failing({ class: 'config', code: 'invalid_client', origin: 'server' }) });
    life.pass(DUE);
    life.dispatch(broken);
    life.dispatch(moved(grant(1)));
    expect(life.state.phase).toMatchObject({ reason: 'config', code: 'invalid_client', local: false });
    life.pass(5 * HOUR);
    expect(life.attempts).toHaveLength(1);
    life.pass(2 * HOUR);
    expect(life.attempts).toHaveLength(2);
  });

  it('F78: what was lost is called lost again when a store that was blanked meanwhile holds it again, also after restarts', () => {
    const life = createLife({ server: failing({ code: 'http_502', doubt: true }) });
    life.pass(DUE);
    life.server = failing({ class: 'terminal', code: 'invalid_grant' });
    life.restart(loaded(grant(1)));
    life.pass(10 * SECOND);
    life.dispatch(blanked);
    expect(life.state.phase).toMatchObject({ reason: 'store_blanked' });
    life.restart(blanked);
    life.dispatch(moved(grant(1)));
    expect(life.state.phase).toMatchObject({ reason: 'lost_response', code: 'lost_response' });
    const { phase } = life.state;
    life.restart(loaded(grant(1)));
    expect(life.state.phase).toMatchObject({ ...phase });
  });

  it('E6: a login that the store does not show opens it, once, and one from before the refusal does not', () => {
    const life = createLife({ server: failing({ class: 'terminal', code: 'exit_77' }) });
    life.pass(DUE);
    const { wallMs } = life.now;
    life.dispatch({ type: 'watched_path_changed', at: epochMs(wallMs - SECOND) });
    life.dispatch({ type: 'watched_path_changed', at: epochMs(wallMs + HOUR) });
    expect(life.attempts).toHaveLength(1);
    life.pass(MINUTE);
    const at = epochMs(life.now.wallMs - SECOND);
    life.dispatch({ type: 'watched_path_changed', at });
    expect(life.attempts).toHaveLength(2);
    life.dispatch({ type: 'watched_path_changed', at });
    life.pass(HOUR);
    expect([life.attempts.length, life.newAlerts()]).toEqual([2, ['reauthorization_required']]);
    life.server = serving({ issuedAt: life.now.wallMs });
    life.dispatch({ type: 'watched_path_changed', at: epochMs(life.now.wallMs) });
    expect([life.state.phase.kind, life.newAlerts()]).toEqual(['fresh', ['restored']]);
  });
});

describe('a refusal is believed of what the store still shows', () => {
  it('F8 F37: a refusal says nothing of a store that is broken by then: it is sent again once the store shows it again', () => {
    const life = createLife({ server: (attempt) => ({ ...broken, attempt }) });
    life.pass(DUE);
    expect(life.state).toMatchObject({ phase: { reason: 'state_broken' }, refusal: null });
    expect(life.effects.filter(({ type }) => type === 'close_attempt')).toEqual([
      { type: 'close_attempt', attempt: 1, journal: 'empty' },
    ]);
    expect(life.newAlerts()).toEqual(['reauthorization_required']);
    life.server = serving();
    life.dispatch(moved(grant(1)));
    life.pass(MINUTE);
    expect(life.attempts).toHaveLength(2);
    expect(life.state).toMatchObject({ phase: { kind: 'fresh' }, grant: 'r1002' });
  });

  it('F3 F8: what was in doubt before stays so, in the journal too', () => {
    const life = createLife({ server: failing({ code: 'http_502', doubt: true }) });
    life.pass(DUE);
    life.server = (attempt) => ({ ...broken, attempt });
    life.effects = [];
    life.pass(5 * MINUTE);
    expect(life.state).toMatchObject({ phase: { reason: 'state_broken' }, doubt: { fingerprint: 'r1' } });
    expect(life.effects.filter(({ type }) => type === 'close_attempt')).toEqual([
      { type: 'close_attempt', attempt: 2, journal: 'keep' },
    ]);
    life.server = failing({ class: 'terminal', code: 'invalid_grant' });
    life.dispatch(moved(grant(1)));
    life.pass(5 * MINUTE);
    expect(life.state.phase).toMatchObject({ reason: 'lost_response' });
  });
});
