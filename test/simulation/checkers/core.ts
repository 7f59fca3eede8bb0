/**
 * What holds of a credential's state after each step: what the core asserts of it (I9, I12 and others), and that a message which is
 * stale or came twice would change nothing (I11).
 *
 * Rule: asked of the daemon's own core, beside the course of things: nothing that is tried here happens.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Event } from '../../../src/core/event.ts';
import { assertInvariants } from '../../../src/core/invariants.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import type { Fingerprint } from '../../../src/core/token.ts';
import type { World } from '../world.ts';

export function watchCore(world: World): void {
  let looks = 0;
  world.on.step.push((credential, state) => {
    const running = world.life?.running;
    if (running == null) return;
    const { core, daemon } = running;
    const now = daemon.now();
    const broken = brokenBy(() => assertInvariants(state, { deadlineMs: core.nextDeadline(state, now) }, now));
    if (broken !== null) world.fail(RULE.exec(broken)?.[0] ?? 'no bug', `${credential}: ${broken}`);

    const messages = staleMessages(state);
    looks += 1;
    // One at a time: in two days each meets each kind of state.
    const message = messages[looks % messages.length];
    if (message === undefined) return;
    const isTick = isDeepStrictEqual(core.step(state, message, now), core.step(state, { type: 'tick' }, now));
    if (!isTick) world.fail('I11', `${credential} (${state.phase.kind}): a stale ${message.type} is no tick`);
  });
}

function brokenBy(look: () => void): string | null {
  try {
    look();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Answers to an attempt that is over, to a stage that is over, to a command that was given anew since, to none at all. */
function staleMessages(state: CredentialState): readonly Event[] {
  const { attempt, phase, unpersisted, deliveries, sentinel } = state;
  const isUnder = phase.kind === 'refreshing';
  const past = attempt - 1;
  const answers = [
    ...answersTo(past),
    ...(isUnder && phase.stage === 'running' ? [] : [{ type: 'refresh_outcome_unknown', attempt } as const]),
    ...(isUnder && phase.stage === 'recording' ? [] : [{ type: 'attempt_recorded', attempt } as const]),
    ...(isUnder && phase.stage === 'recording_answer' ? [] : [{ type: 'answer_recorded', attempt } as const]),
  ];
  const told = [...deliveries, { target: 'sentinel', revision: sentinel.revision, status: sentinel.status }];
  const publications = told.flatMap(({ target, revision, status }): readonly Event[] => [
    { type: 'publish_succeeded', target, revision: revision - 1 },
    { type: 'publish_failed', target, revision: revision - 1, ...REFUSAL },
    ...(status === 'pending' ? [] : [{ type: 'publish_failed', target, revision, ...REFUSAL } as const]),
  ]);
  const alert = { kind: 'restored', id: 'nobody:restored:0' } as const;
  // What was not stored when its attempt ended is answered later, under that attempt's number.
  const isOwed = (event: Event): boolean => 'attempt' in event && event.attempt === unpersisted?.attempt;
  return [
    ...answers.filter((event) => !isOwed(event)),
    ...publications,
    { type: 'alert_delivered', ...alert },
    { type: 'alert_failed', ...alert },
  ];
}

function answersTo(attempt: number): readonly Event[] {
  const grant = {
    token: null,
    fingerprint: 'of another attempt' as unknown as Fingerprint,
    hasRefreshToken: true,
    refreshTokenExpiresAt: null,
    account: null,
  };
  const failure = {
    class: 'terminal',
    code: 'invalid_grant',
    doubt: false,
    unsent: false,
    origin: 'server',
    retryAfterMs: null,
    detail: null,
  } as const;
  return [
    { type: 'attempt_recorded', attempt },
    { type: 'refresh_succeeded', attempt, answer: { grant, response: {} } },
    { type: 'refresh_failed', attempt, failure },
    { type: 'refresh_outcome_unknown', attempt },
    { type: 'answer_recorded', attempt },
    { type: 'answer_record_failed', attempt, code: 'no_space' },
    { type: 'persist_succeeded', attempt, fingerprint: grant.fingerprint },
    { type: 'persist_failed', attempt, code: 'no_space', winner: grant },
  ];
}

const REFUSAL = { code: 'no_space', remedy: 'make room' };

const RULE = /\bI\d+\b/;
