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
  'an answer that nobody takes in': {
    mutation: {
      file: 'src/core/attempt.ts',
      from: "      return phase.stage === 'running' ? succeeded(state, phase, event.answer, now) : unchanged;",
      to: '      return unchanged;',
    },
    seed: 1,
    rule: 'F33',
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
    rule: 'I10',
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
  'a run of an earlier life that goes on beside the next attempt': {
    mutation: {
      file: 'src/daemon/left-run.ts',
      from: '  let { response, isOver } = await tools.leftRuns.settle({ ...run, waitMs });',
      to: '  void waitMs;\n  let { response, isOver } = { response: null as TokenResponse | null, isOver: true };',
    },
    seed: 23,
    rule: 'I2',
  },
  'an .env that is written in two pieces': {
    mutation: {
      file: 'src/adapters/publish/env-file.ts',
      from: '    await writeFileAtomic(file, after, { modeWhenCreated: 0o600, unchanged });',
      to: `    if (before === null) await writeFileAtomic(file, after, { modeWhenCreated: 0o600, unchanged });
    else {
      await writeInPlace(file, after.slice(0, Math.ceil(after.length / 2)));
      await writeInPlace(file, after);
    }`,
    },
    seed: 1,
    rule: 'I4',
  },
  'a new token under the generation of the old one': {
    mutation: {
      file: 'src/adapters/publish/env-file.ts',
      from: '  const values = [token.accessToken, expiresAt, String(generation)];',
      to: '  const told = entry as { last?: number };\n  const values = [token.accessToken, expiresAt, String(told.last ?? generation)];\n  told.last = generation;',
    },
    seed: 1,
    rule: 'I4',
  },
  'a budget that is never spent': {
    mutation: {
      file: 'src/core/schedule.ts',
      from: '  if (bucket.attempts === 0 && !isFirstGuarded(state)) {',
      to: '  if (bucket.attempts < 0) {',
    },
    seed: 29,
    rule: 'I6',
  },
  'a probe every few minutes': {
    mutation: {
      file: 'src/core/policy.ts',
      from: '  probeIntervalMs: 6 * HOUR,',
      to: '  probeIntervalMs: 5 * MINUTE,',
    },
    seed: 9,
    rule: 'F9',
  },
  'an attempt whose end nobody waits for': {
    mutation: {
      file: 'src/core/lifecycle.ts',
      from: '      ? [state.phase.deadline]',
      to: '      ? []',
    },
    seed: 1,
    rule: 'I9',
  },
  'an answer that is taken for that of any attempt': {
    mutation: {
      file: 'src/core/attempt.ts',
      from: "state.phase.kind === 'refreshing' && state.attempt === attempt ?",
      to: "state.phase.kind === 'refreshing' && attempt > 0 ?",
    },
    seed: 1,
    rule: 'I11',
  },
  'an answer of a target that is taken for the last one': {
    mutation: {
      file: 'src/core/targets.ts',
      from: "delivery.target === target && delivery.revision === revision && delivery.status === 'pending'",
      to: "delivery.target === target && revision > 0 && delivery.status === 'pending'",
    },
    seed: 1,
    rule: 'I11',
  },
  'failures that are counted without end': {
    mutation: {
      file: 'src/core/failing.ts',
      from: '  const failures = Math.min(state.policy.maxRetries + 1, state.failures + 1);',
      to: '  const failures = state.failures + 1;',
    },
    seed: 1,
    rule: 'I12',
  },
  'a folder that stays open': {
    mutation: {
      file: 'src/adapters/atomic-file.ts',
      from: "    if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error;\n  } finally {\n    await handle.close();",
      to: '    throw error;\n  } finally {\n    void handle;',
    },
    seed: 1,
    rule: 'I12',
  },
  'a latch that no good grant opens': {
    mutation: {
      file: 'src/core/adoption.ts',
      from: '  return isStuck && isSame(state, grant, state.refusal?.fingerprint ?? null) ? state.refusal : null;',
      to: '  return isStuck ? state.refusal : null;',
    },
    seed: 30,
    rule: 'F67',
  },
  'a fallback that waits until it has settled': {
    mutation: { file: 'src/core/chain.ts', from: '    usable[0] ??\n', to: '' },
    seed: 8,
    rule: 'chain',
  },
  'a preferred member that is never taken back': {
    mutation: {
      file: 'src/core/chain.ts',
      from: '  return Math.max(0, member.usableSince + member.settleMs - now.monotonicMs);',
      to: '  return Math.max(0, member.usableSince + member.settleMs + 86_400_000 - now.monotonicMs);',
    },
    seed: 8,
    rule: 'chain',
  },
  'a way back that does not wait until the member has settled': {
    mutation: {
      file: 'src/core/chain.ts',
      from: '  return Math.max(0, member.usableSince + member.settleMs - now.monotonicMs);',
      to: '  return 0;',
    },
    seed: 8,
    rule: 'chain',
  },
  'the last of the members in the place of the first': {
    mutation: {
      file: 'src/core/chain.ts',
      from: "  const usable = inOrder.filter(({ standing }) => standing === 'usable');",
      to: "  const usable = inOrder.filter(({ standing }) => standing === 'usable').reverse();",
    },
    seed: 8,
    rule: 'chain',
  },
  'a generation of a chain that means whoever is in use': {
    mutation: {
      file: 'src/core/chain.ts',
      from: '  const generation = Math.max(state.generation + 1, Math.floor(now.wallMs / 1000));',
      to: '  const generation = Math.max(state.generation, 1);',
    },
    seed: 8,
    rule: 'chain',
  },
  'variables of a member that was left': {
    mutation: {
      file: 'src/adapters/publish/env-file.ts',
      from: '  const leaving = new Set(entries.flatMap(namesOf).filter((name) => !changes.has(name)));',
      to: '  const leaving = new Set(entries.flatMap(namesOf).filter((name) => publication === null && !changes.has(name)));',
    },
    seed: 8,
    rule: 'chain',
  },
  'a chain that publishes for nobody': {
    mutation: {
      file: 'src/core/chain.ts',
      from: '    return token !== null && isHeld(state, delivery.target) ? { token, generation } : null;',
      to: '    return token !== null && isHeld(state, delivery.target) && generation < 0 ? { token, generation } : null;',
    },
    seed: 8,
    rule: 'chain',
  },
  'a memory that forgets the generation': {
    mutation: { file: 'src/core/memory.ts', from: '    generation: state.generation,\n', to: '    generation: 0,\n' },
    seed: 1,
    rule: 'I10',
  },
};
