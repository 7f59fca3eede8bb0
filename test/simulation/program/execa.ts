/**
 * Stands in for the package `execa`: starts programs of the simulated machine, with descriptors of the simulated disk.
 */
import type { Realm } from '../realm.ts';

declare const realm: Realm;

interface Options {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: number | string;
  readonly stdout?: number;
}

interface Result {
  readonly failed: boolean;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;
}

/** @returns as execa: a promise that has the pid on it */
export function execa(
  program: string,
  programArguments: readonly string[],
  { env, stdin, stdout }: Options,
): Promise<Result> & { readonly pid: number | undefined } {
  if (program === 'fallocate') {
    return Object.assign(Promise.resolve(fallocate(programArguments)), { pid: undefined });
  }
  const { pid, ended } = realm.processes.spawn({
    program,
    environment: env,
    stdin: typeof stdin === 'number' ? stdin : null,
    stdout: stdout ?? null,
  });
  const result = new Promise<Result>((resolve) => {
    ended(({ exitCode, signal }) =>
      resolve({ failed: exitCode !== 0, exitCode: exitCode ?? undefined, signal: signal ?? undefined, stderr: '' }),
    );
  });
  return Object.assign(result, { pid });
}

/** `fallocate --keep-size --length BYTES PATH` */
function fallocate(programArguments: readonly string[]): Result {
  const done = { failed: false, exitCode: 0, signal: undefined, stderr: '' };
  try {
    realm.reserveSpace(programArguments.at(-1) ?? '', Number(programArguments.at(-2)));
    return done;
  } catch (error) {
    const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    return { ...done, failed: true, exitCode: 1, stderr: isFull ? 'No space left on device' : 'failed' };
  }
}
