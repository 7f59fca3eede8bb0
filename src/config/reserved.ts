/**
 * Files that freshd must never write a token or a log line into: its own configuration, state and socket, and programs.
 *
 * Rule: pure; files are compared by their real paths, which load.ts looks up. A mistaken path here would destroy what the
 * next start needs.
 */
import { isAbsolute, join, sep } from 'node:path';
import { complain, pathText } from './complaint.ts';
import type { Argv, Config } from './config.ts';

/** @param realPaths by configured path; a path that is not in it is its own */
export function findReserved(config: Config, realPaths: ReadonlyMap<string, string>): readonly string[] {
  const real = (path: string): string => realPaths.get(path) ?? path;
  const reserved = reservedPlaces(config).map((place) => ({ ...place, file: real(place.file) }));
  const problems = writtenFiles(config).flatMap(({ at, file }) => {
    const taken = reserved.find((place) => isIn(real(file), place));
    return taken === undefined ? [] : [problem(at, `${taken.what} (${taken.file})`)];
  });
  return [...problems, ...logProblems(config, real)];
}

/** Every path whose real path the comparison needs. */
export function reservedPaths(config: Config): readonly string[] {
  const { file } = config.log;
  return [...reservedPlaces(config).map((place) => place.file), ...(file === null ? [] : [file])];
}

interface Reserved {
  readonly file: string;
  readonly what: string;
}

function reservedPlaces(config: Config): readonly Reserved[] {
  const { path, socketPath, stateDirectory, runtimeDirectory } = config;
  const own = [
    ...STATE_ENTRIES.map((entry) => join(stateDirectory, entry)),
    ...RUNTIME_ENTRIES.map((entry) => join(runtimeDirectory, entry)),
  ];
  return [
    { file: path, what: 'the configuration itself' },
    { file: socketPath, what: 'the socket' },
    ...own.map((file) => ({ file, what: "freshd's own state" })),
    ...programs(config).map((file) => ({ file, what: 'a program that freshd runs' })),
  ];
}

/** Those that are named by their place; one that is looked up in PATH is nobody's target by mistake. */
function programs({ credentials, alerts }: Config): readonly string[] {
  const argvs: readonly Argv[] = [
    ...credentials.flatMap(({ refresh, publish }) => [
      ...(refresh?.kind === 'command' ? [refresh.argv] : []),
      ...publish.flatMap((target) => (target.type === 'hook' ? [target.argv] : [])),
    ]),
    ...alerts.sinks.flatMap((sink) => (sink.type === 'command' ? [sink.argv] : [])),
  ];
  return [...new Set(argvs.map(([program]) => program).filter((program) => isAbsolute(program)))];
}

interface Written {
  readonly at: string;
  readonly file: string;
}

function writtenFiles({ credentials, log }: Config): readonly Written[] {
  return [
    ...credentials.flatMap(({ name, store, publish }) => [
      ...('path' in store && store.path !== null
        ? [{ at: pathText(['credentials', name, 'store']), file: store.path }]
        : []),
      ...publish.flatMap((target, index) =>
        target.type === 'envFile' ? [{ at: pathText(['credentials', name, 'publish', index]), file: target.path }] : [],
      ),
    ]),
    ...(log.file === null ? [] : [{ at: LOG_AT, file: log.file }]),
  ];
}

/** Many variables share one `.env`, but nothing shares a file with the log. */
function logProblems(config: Config, real: (path: string) => string): readonly string[] {
  const { file } = config.log;
  if (file === null) return [];
  const other = writtenFiles(config).find((written) => written.at !== LOG_AT && real(written.file) === real(file));
  return other === undefined ? [] : [problem(LOG_AT, `the one of ${other.at} (${real(file)})`)];
}

const isIn = (file: string, place: Reserved): boolean => file === place.file || file.startsWith(`${place.file}${sep}`);

const problem = (at: string, seen: string): string =>
  `${at}: ${complain({ expected: 'a file that nothing else needs', seen, remedy: 'name another file' })}`;

const LOG_AT = pathText(['log', 'file']);

const STATE_ENTRIES = ['lock', 'lock.pid', 'install-key', 'credentials', 'journal', 'spool', 'published'] as const;
const RUNTIME_ENTRIES = ['tokens', 'down', 'locks'] as const;
