/**
 * Publishes a token as a variable of an `.env` file that belongs to somebody else.
 *
 * Rule: read, edit, verify with dotenv, write only if nobody wrote meanwhile; and what freshd did not write it does not remove.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'dotenv';
import type { Publication } from '../../core/effect.ts';
import type { Fingerprint, Fingerprinter } from '../../core/token.ts';
import { PortError, type PublisherPort } from '../../daemon/ports.ts';
import { writeFileAtomic, writeInPlace } from '../atomic-file.ts';
import { readText, realFile } from './env-target.ts';
import { type Assignment, editEnv, findAssignments, removeFromEnv } from './env-text.ts';
import { inTurn, sweepBesideOnce } from './in-turn.ts';
import type { LastWritten } from './last-written.ts';

export interface EnvFileOptions {
  /** Absolute. Its directory must exist; the file is created with 0600. */
  readonly path: string;
  readonly variable: string;
  /** Also `<variable>_EXPIRES_AT` (epoch seconds; absent when unknown) and `<variable>_GENERATION`. */
  readonly metadata: boolean;
  readonly followSymlink: boolean;
  /** `in-place` is for a bind-mounted file, which cannot be replaced: a reader may then see half of it. */
  readonly write: 'atomic' | 'in-place';
  readonly fingerprint: Fingerprinter;
  readonly lastWritten: LastWritten;
  /** `value_taken_over`: the file held a value that freshd did not write, and holds freshd's now. */
  readonly onNotice: (code: 'value_taken_over', fields: { readonly path: string; readonly variable: string }) => void;
}

/** @returns a publisher that throws PortError `value_not_representable`, `verification_failed`, `foreign_value`, or one of atomic-file.ts */
export function createEnvFilePublisher(options: EnvFileOptions): PublisherPort {
  return {
    id: `envFile:${options.path}#${options.variable}`,
    publish: (publication) => withFile(options, (file) => publishTo(file, publication, options)),
    withdraw: () => withFile(options, (file) => withdrawFrom(file, options)),
  };
}

/** Runs `edit` alone on the real file, and again when somebody wrote meanwhile. */
async function withFile(options: EnvFileOptions, edit: (file: string) => Promise<void>): Promise<void> {
  const file = await realFile(options);
  await inTurn(file, async () => {
    if (options.write === 'atomic') await sweepBesideOnce(file);
    for (let tries = 1; ; tries += 1) {
      try {
        return await edit(file);
      } catch (error) {
        const isRace = error instanceof PortError && error.code === 'changed_meanwhile';
        if (!isRace || tries === TRIES_MAX) throw error;
      }
    }
  });
}

async function publishTo(file: string, publication: Publication, options: EnvFileOptions): Promise<void> {
  const changes = variablesOf(publication, options);
  const before = await readText(file);
  const after = editEnv(before ?? '', changes);
  const known = new Set(await options.lastWritten.load());
  const standing = findAssignments(before ?? '').filter(({ name }) => changes.has(name));

  // Remembered before the write, with what stands there: whichever of the two a crash leaves is recognised as ours.
  const pending = [...changes].flatMap(([name, value]) => (value === null ? [] : [markOf({ name, value }, options)]));
  const kept = standing.map((assignment) => markOf(assignment, options)).filter((mark) => known.has(mark));
  if (!pending.every((mark) => known.has(mark))) {
    await options.lastWritten.save([...new Set([...kept, ...pending])]);
  }
  if (before !== null && after === before) return;
  verify({ file, before: before ?? '', after, expected: changes });
  await write(file, { before, after }, options);

  for (const assignment of standing) {
    const isForeign = !known.has(markOf(assignment, options)) && assignment.value !== changes.get(assignment.name);
    if (isForeign) options.onNotice('value_taken_over', { path: options.path, variable: assignment.name });
  }
}

async function withdrawFrom(file: string, options: EnvFileOptions): Promise<void> {
  const before = await readText(file);
  if (before === null) return;
  const known = new Set(await options.lastWritten.load());
  const names = namesOf(options);
  const isOurs = (assignment: Assignment): boolean =>
    names.includes(assignment.name) && known.has(markOf(assignment, options));
  const foreign = findAssignments(before).filter((found) => names.includes(found.name) && !isOurs(found));
  const after = removeFromEnv(before, isOurs);
  if (after !== before) {
    const expected = new Map<string, string | null>(names.map((name) => [name, null]));
    for (const { name, value } of foreign) expected.set(name, value);
    verify({ file, before, after, expected });
    await write(file, { before, after }, options);
  }
  const left = foreign[0]?.name;
  if (left === undefined) return;
  const remedy = `remove ${left} from ${options.path} yourself, or leave it: the next good token replaces it`;
  throw new PortError(
    `${options.path}: expected in ${left} what freshd wrote, found another value and kept it; ${remedy}`,
    { code: 'foreign_value', remedy },
  );
}

function namesOf({ variable, metadata }: EnvFileOptions): string[] {
  return metadata ? [variable, `${variable}_EXPIRES_AT`, `${variable}_GENERATION`] : [variable];
}

function variablesOf({ token, generation }: Publication, options: EnvFileOptions): Map<string, string | null> {
  // An assumed expiry is our guess: readers must not stop using a token on the strength of it.
  const expiresAt = token.expiry.kind === 'known' ? String(Math.floor(token.expiry.expiresAt / 1000)) : null;
  const values = [token.accessToken, expiresAt, String(generation)];
  return new Map(namesOf(options).map((name, nth) => [name, values[nth] ?? null]));
}

function markOf({ name, value }: { name: string; value: string }, { fingerprint }: EnvFileOptions): Fingerprint {
  return fingerprint(`${name}=${value}`);
}

interface Edit {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  readonly expected: ReadonlyMap<string, string | null>;
}

/** The reader that the file is named after must find our variables as meant, and all others as they were. */
function verify({ file, before, after, expected }: Edit): void {
  const wanted = new Map<string, string>(Object.entries(parse(before)));
  for (const [name, value] of expected) {
    if (value === null) wanted.delete(name);
    else wanted.set(name, value);
  }
  if (isDeepStrictEqual(new Map(Object.entries(parse(after))), wanted)) return;
  const remedy = 'look for a quote that is opened and never closed near the variable';
  throw new PortError(
    `${file}: expected the edit to change only our variables, but dotenv would read others differently; nothing was written; ${remedy}`,
    { code: 'verification_failed', remedy },
  );
}

async function write(
  file: string,
  { before, after }: { before: string | null; after: string },
  options: EnvFileOptions,
): Promise<void> {
  const unchanged = async (): Promise<boolean> => (await readText(file)) === before;
  if (options.write === 'atomic' || before === null) {
    await writeFileAtomic(file, after, { modeWhenCreated: 0o600, unchanged });
    return;
  }
  if (!(await unchanged())) {
    const remedy = 'nothing to do: it is read again and the write repeated';
    throw new PortError(`did not write ${file}: it changed since it was read`, { code: 'changed_meanwhile', remedy });
  }
  await writeInPlace(file, after);
}

// Somebody who saves a file five times within five of our reads is a program in a loop: the engine's retry comes later.
const TRIES_MAX = 5;
