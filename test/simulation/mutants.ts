/**
 * Mutants: daemons that break one promise each, and a seed near which a checker notices. One that lets all pass is worthless.
 *
 * Rule: one text of one file is changed when the daemon is bundled, so that the source has no hooks; a text that is not found
 * there any more is an error.
 */
import type { Mutation } from './bundle.ts';

export interface Mutant {
  readonly mutation: Mutation;
  /** The first that is tried: it shows there, or soon after. */
  readonly seed: number;
  /** Whose checker notices. */
  readonly rule: string;
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'a journal that does not wait for the disk': {
    mutation: { file: 'src/adapters/attempt-journal.ts', from: '  await handle.datasync();\n', to: '' },
    seed: 1,
    rule: 'I3',
  },
  'an answer that is not recorded before it is stored': {
    mutation: {
      file: 'src/daemon/attempt-records.ts',
      from: "    return this.codeOf(open.credential.name, write, 'record_answer');",
      to: '    void write;\n    return null;',
    },
    seed: 1,
    rule: 'I3',
  },
  'a token that is published before its answer is stored': {
    mutation: {
      file: 'src/core/attempt.ts',
      from: "    state: { ...state, phase: { ...phase, stage: 'recording_answer', deadline, answer } },",
      to: "    state: { ...conclude(state, answer.grant, now).state, phase: { ...phase, stage: 'recording_answer', deadline, answer } },",
    },
    seed: 1,
    rule: 'I3',
  },
  'a store that does not wait for the disk': {
    mutation: { file: 'src/adapters/atomic-file.ts', from: 'if (content.durable) await handle.sync();', to: '' },
    seed: 1,
    rule: 'I3',
  },
  'a journal that is not looked at after a crash': {
    mutation: {
      file: 'src/daemon/reconcile.ts',
      from: '  const entry = await tools.journal.read(name);',
      to: '  const entry = null as JournalEntry | null;',
    },
    seed: 1,
    rule: 'I1',
  },
  'a lost answer that is reported as a refusal': {
    mutation: {
      file: 'src/core/failing.ts',
      from: '  return isLoss ? { ...failure, code: LOST_RESPONSE } : failure;',
      to: '  return failure;',
    },
    seed: 1,
    rule: 'F78',
  },
  'temps that are not swept': {
    mutation: { file: 'src/adapters/temp-path.ts', from: '      await rm(path, { force: true });\n', to: '' },
    seed: 1,
    rule: 'I7',
  },
  'a token in the log': {
    mutation: {
      file: 'src/daemon/perform-publish.ts',
      from: "    if (effect.type === 'publish_token') return",
      to: "    if (effect.type === 'publish_token') options.log.write('debug', 'told', { ...effect.publication.token } as never);\n    if (effect.type === 'publish_token') return",
    },
    seed: 1,
    rule: 'I7',
  },
  'an expired token that stays in files': {
    mutation: {
      file: 'src/core/delivery.ts',
      from: '  const wanted = isUsable(state, now) ? held : null;',
      to: '  const wanted = held;',
    },
    seed: 2,
    rule: 'I8',
  },
  'an end that the wall clock alone tells': {
    mutation: {
      file: 'src/core/schedule.ts',
      from: '  return Math.min(byWall, byMonotonic);',
      to: '  return byWall + 0 * byMonotonic;',
    },
    seed: 19,
    rule: 'I8',
  },
  'a good token withdrawn when its refresh fails': {
    mutation: {
      file: 'src/core/delivery.ts',
      from: '  const wanted = isUsable(state, now) ? held : null;',
      to: "  const wanted = isUsable(state, now) && state.phase.kind !== 'backing_off' ? held : null;",
    },
    seed: 8,
    rule: 'I5',
  },
  'no retry after a failure': {
    mutation: {
      file: 'src/core/schedule.ts',
      from: "  return { kind: isRecovering ? 'recovering' : 'backing_off', due: monotonicMs(Math.min(due, notAfter)) };",
      to: "  return { kind: isRecovering ? 'recovering' : 'backing_off', due: monotonicMs(due + 7 * 86_400_000 + 0 * notAfter) };",
    },
    seed: 4,
    rule: 'liveness',
  },
  'a floor that nobody keeps': {
    mutation: {
      file: 'src/core/schedule.ts',
      from: '  if (lastBegan !== null) opensAt = laterOf(opensAt, monotonicMs(lastBegan + policy.minRefreshIntervalMs));\n',
      to: '',
    },
    seed: 1,
    rule: 'I6',
  },
  'a generation that means two tokens': {
    mutation: {
      file: 'src/core/adoption.ts',
      from: 'const generation = isKnown ? state.generation :',
      to: 'const generation = isKnown || state.held !== null ? state.generation :',
    },
    seed: 1,
    rule: 'I5',
  },
  'a Retry-After that nobody keeps': {
    mutation: {
      file: 'src/core/schedule.ts',
      from: '  if (state.notBefore !== null && !options.overridesRetryAfter) opensAt = laterOf(opensAt, state.notBefore);\n',
      to: '',
    },
    seed: 8,
    rule: 'F5',
  },
  'a doubt that is sent again before it has settled': {
    mutation: {
      file: 'src/core/failing.ts',
      from: 'const settlesAt = after(now, state.policy.settleMs);',
      to: 'const settlesAt = after(now, 0);',
    },
    seed: 1,
    rule: 'F3',
  },
  'a memory that forgets the generation': {
    mutation: { file: 'src/core/memory.ts', from: '    generation: state.generation,\n', to: '    generation: 0,\n' },
    seed: 1,
    rule: 'I10',
  },
};
