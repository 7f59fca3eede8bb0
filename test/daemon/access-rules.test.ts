import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { AllowConfig, Config } from '../../src/config/config.ts';
import type { LoadResult } from '../../src/config/load.ts';
import { createAccessRules, refuseIdleRules } from '../../src/daemon/access-rules.ts';
import type { ReaderAbilities } from '../../src/daemon/system-ports.ts';

const only = (...uids: number[]): AllowConfig => ({ uids, gids: null, executables: null });
const ALL: ReaderAbilities = { whyNone: null, knowsUser: () => true, knowsGroup: () => true, whyNoExecutables: null };

/** Rules are read by the names of credentials and nothing else of a configuration. */
const config = (allowed: Record<string, AllowConfig | null>) =>
  ({ credentials: Object.entries(allowed).map(([name, allow]) => ({ name, allow })) }) as unknown as Config;

const problemsOf = (allow: AllowConfig, abilities: Partial<ReaderAbilities>): readonly string[] => {
  const loaded = { ok: true, config: config({ mail: allow, open: null }) } as unknown as LoadResult;
  const judged = refuseIdleRules(loaded, { ...ALL, ...abilities });
  return judged.ok ? [] : judged.problems;
};

test('a rule that cannot be kept refuses the configuration, and says what to do', () => {
  const everything = { uids: [0, 1_001], gids: [27], executables: ['/usr/bin/node'] };
  expect(problemsOf(everything, {})).toEqual([]);
  const why = 'the optional package koffi is missing; install it';
  expect(problemsOf(everything, { whyNone: why })).toEqual([
    `credentials.mail.allow: expected a system that tells who connects, got none; ${why}`,
  ]);
  const remedy =
    'in this user namespace that id looks like any other, or /proc does not show its table: use the variant of the unit without PrivateUsers=, or a container that maps it';
  expect(problemsOf(everything, { knowsUser: (uid) => uid === 0, knowsGroup: () => false })).toEqual([
    `credentials.mail.allow.uids: expected ids that can be told apart, got 1001; ${remedy}`,
    `credentials.mail.allow.gids: expected ids that can be told apart, got 27; ${remedy}`,
  ]);
  expect(problemsOf(everything, { whyNoExecutables: 'there is no /proc' })).toEqual([
    'credentials.mail.allow.executables: expected a system that shows the program of a reader, got none; there is no /proc',
  ]);
  expect(problemsOf(only(1), { whyNoExecutables: 'there is no /proc' })).toEqual([]);
});

test('a new rule is in force at once, and whose rule has changed is told', () => {
  const rules = createAccessRules();
  const heard: (readonly string[])[] = [];
  rules.onChange((credentials) => heard.push(credentials));
  rules.apply(config({ mail: only(1), open: null }), () => false);
  expect([rules.ruleOf('mail'), rules.ruleOf('open')]).toEqual([only(1), null]);
  rules.apply(config({ mail: only(1), open: only(2) }), () => false);
  rules.apply(config({ mail: only(1), open: only(2) }), () => false);
  expect(heard).toEqual([['mail'], ['open']]);
});

test('a removed credential keeps its rule for as long as it is still there', () => {
  const rules = createAccessRules();
  rules.apply(config({ mail: only(1) }), () => false);
  rules.apply(config({}), () => true);
  expect(rules.ruleOf('mail')).toEqual(only(1));
  rules.apply(config({}), () => false);
  expect(rules.ruleOf('mail')).toBeNull();
});

test('a program is meant wherever its link leads, and one that is not there yet as it is written', () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'freshd-rules-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  symlinkSync(process.execPath, join(directory, 'program'));
  const executables = [join(directory, 'program'), '/nowhere/program'];
  const rules = createAccessRules();
  rules.apply(config({ mail: { uids: null, gids: null, executables } }), () => false);
  expect(rules.ruleOf('mail')?.executables).toEqual([realpathSync(process.execPath), '/nowhere/program']);
});
