/**
 * Exit codes of the command line, as in sysexits.h where there is one.
 *
 * Rule: every status a command can end with stands here, with the meaning that scripts may rely on.
 */
export const EXIT = {
  ok: 0,
  /** `status --check`: unusable. Elsewhere: no such credential, or an answer that has no code of its own. */
  failure: 1,
  /** `status --check`: usable, but degraded or expiring. */
  degraded: 2,
  /** The command line cannot be understood. */
  usage: 64,
  /** What came on standard input, or from the calling tool, cannot be understood or is refused. */
  dataError: 65,
  /** No daemon answers. */
  unavailable: 69,
  /** A bug in freshd. */
  software: 70,
  /** The system refused what every program needs: too many open files, no memory. */
  system: 71,
  /** The daemon went away in the middle of an answer. */
  inputOutput: 74,
  /** Not at the moment; the same call may succeed later. */
  temporaryFailure: 75,
  /** A person must act: re-authorize, or allow this user in. */
  permission: 77,
  /** The configuration is wrong. */
  configuration: 78,
  /** `exec`: the program cannot be run. Otherwise `exec` ends as its program did, 128+N when signal N ended that. */
  notExecutable: 126,
  /** `exec`: there is no such program. */
  notFound: 127,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
