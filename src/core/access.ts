/**
 * Who may read a credential: a rule of the configuration against what the system says of a reader.
 *
 * Rule: pure. What is not known never matches; a rule denies whom it does not name, the daemon's own user too.
 */

/** Null: that part of the rule is absent. */
export interface AllowRule {
  readonly uids: readonly number[] | null;
  /** Primary and supplementary groups count. */
  readonly gids: readonly number[] | null;
  /** Absolute paths of programs, links resolved. */
  readonly executables: readonly string[] | null;
}

/** A reader as the system describes it; what costs a look is asked for only by rules that need it. */
export interface ReaderFacts {
  readonly uid: number;
  readonly pid: number | null;
  /** All groups of the process. */
  readonly groups: () => readonly number[];
  /** Null: not known. */
  readonly executable: () => string | null;
}

export interface Denial {
  /** Which part of the rule says no, as in the configuration. */
  readonly rule: 'allow.uids' | 'allow.gids' | 'allow.executables' | 'allow';
  /** Whom it names. */
  readonly expected: string;
  readonly seen: string;
}

/**
 * Judges one reader. A user or a group that is named suffices; a program must be named too, where programs are.
 * @param reader null: the system does not say who reads
 * @returns null: may read
 */
export function denialOf(rule: AllowRule, reader: ReaderFacts | null): Denial | null {
  const { uids, gids, executables } = rule;
  if (reader === null)
    return { rule: 'allow', expected: 'a reader that the system names', seen: 'one that it does not' };
  const isNamed = uids?.includes(reader.uid) === true || (gids !== null && shares(gids, reader.groups()));
  if (!isNamed && (uids !== null || gids !== null)) {
    return {
      rule: uids === null ? 'allow.gids' : 'allow.uids',
      expected: [...listed('uid', uids), ...listed('gid', gids)].join(' or '),
      seen: `uid ${reader.uid}`,
    };
  }
  const executable = executables === null ? null : reader.executable();
  if (executables === null || (executable !== null && executables.includes(executable))) return null;
  const seen = executable ?? 'a program that the system does not show';
  return { rule: 'allow.executables', expected: executables.join(' or '), seen };
}

const shares = (one: readonly number[], other: readonly number[]): boolean => one.some((id) => other.includes(id));

const listed = (word: string, ids: readonly number[] | null): readonly string[] =>
  ids === null ? [] : [`${word} ${ids.join(', ')}`];
