/**
 * The rules about who may read, as they are in force; and which of a configuration could not be kept here.
 *
 * Rule: a rule that cannot be kept refuses the configuration. A new one is in force at once, also while an attempt of its
 * credential is under way, and outlasts the removal of its credential for as long as that is still there.
 */
import { realpathSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import type { LoadResult } from '../config/load.ts';
import type { AllowRule } from '../core/access.ts';
import type { ReaderAbilities } from './system-ports.ts';

export interface AccessRules {
  /** Null: whoever may connect may read it. */
  ruleOf(credential: string): AllowRule | null;
  /** @param isThere whether a credential that the configuration does not have any more is still kept */
  apply(config: Config, isThere: (credential: string) => boolean): void;
  /** Calls back with those of which the rule has changed. @returns how to stop that */
  onChange(listener: (credentials: readonly string[]) => void): () => void;
}

export function createAccessRules(): AccessRules {
  let rules: ReadonlyMap<string, AllowRule> = new Map();
  const listeners = new Set<(credentials: readonly string[]) => void>();
  return {
    ruleOf: (credential) => rules.get(credential) ?? null,
    apply(config, isThere) {
      const names = new Set(config.credentials.map(({ name }) => name));
      const left = [...rules].filter(([name]) => !names.has(name) && isThere(name));
      const stated = config.credentials.flatMap(({ name, allow }) =>
        allow === null ? [] : [[name, withRealPrograms(allow)] as const],
      );
      const next = new Map([...left, ...stated]);
      const changed = [...new Set([...rules.keys(), ...next.keys()])].filter(
        (name) => !isDeepStrictEqual(rules.get(name), next.get(name)),
      );
      rules = next;
      if (changed.length > 0) for (const listener of listeners) listener(changed);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A configuration whose rules cannot be kept in this process is none. */
export function refuseIdleRules(loaded: LoadResult, abilities: ReaderAbilities): LoadResult {
  if (!loaded.ok) return loaded;
  const problems = loaded.config.credentials.flatMap(({ name, allow }) =>
    allow === null ? [] : idleParts(allow, abilities).map((problem) => `credentials.${name}.allow${problem}`),
  );
  return problems.length === 0 ? loaded : { ok: false, kind: 'configuration', problems };
}

function idleParts({ uids, gids, executables }: AllowRule, abilities: ReaderAbilities): readonly string[] {
  const { whyNone, whyNoExecutables, knowsUser, knowsGroup } = abilities;
  if (whyNone !== null) return [`: expected a system that tells who connects, got none; ${whyNone}`];
  const unknown = [
    ...(uids ?? [])
      .filter((uid) => !knowsUser(uid))
      .map((uid) => `.uids: expected ids that can be told apart, got ${uid}`),
    ...(gids ?? [])
      .filter((gid) => !knowsGroup(gid))
      .map((gid) => `.gids: expected ids that can be told apart, got ${gid}`),
  ].map((problem) => `${problem}; ${NAMESPACE_REMEDY}`);
  if (executables === null || whyNoExecutables === null) return unknown;
  return [
    ...unknown,
    `.executables: expected a system that shows the program of a reader, got none; ${whyNoExecutables}`,
  ];
}

/** The system names programs by the file itself; one that is not there yet is meant as it is written. */
function withRealPrograms(allow: AllowRule): AllowRule {
  return { ...allow, executables: allow.executables?.map(realPath) ?? null };
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return path;
    throw error;
  }
}

const NAMESPACE_REMEDY =
  'in this user namespace that id looks like any other, or /proc does not show its table: use the variant of the unit without PrivateUsers=, or a container that maps it';
