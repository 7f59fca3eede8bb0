/**
 * Publishes tokens as variables of an `.env` file that belongs to somebody else.
 *
 * Rule: read, edit, verify with dotenv, write only if nobody wrote meanwhile; and what freshd did not write it does not remove.
 * Whatever changes at once is one write: of the members of a chain readers see the variables of one, never of both or none.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'dotenv';
import type { Publication } from '../../core/effect.ts';
import type { Fingerprint, Fingerprinter } from '../../core/token.ts';
import { PortError, type PublisherPort, type PublishRemark } from '../../daemon/ports.ts';
import { writeFileAtomic, writeInPlace } from '../atomic-file.ts';
import { readText, realFile } from './env-target.ts';
import { type Assignment, editEnv, findAssignments, removeFromEnv } from './env-text.ts';
import type { LastWritten } from './last-written.ts';
import { inTurn, sweepBesideOnce, syncOnce } from './shared-files.ts';

/** One variable of the file. */
interface EnvEntry {
  readonly variable: string;
  /** Also `<variable>_EXPIRES_AT` (epoch seconds; absent when unknown) and `<variable>_GENERATION`. */
  readonly metadata: boolean;
  readonly lastWritten: LastWritten;
}

/** Stands only while the token of this member of a chain is published; two members may have the same variable. */
export interface MemberEnvEntry extends EnvEntry {
  readonly credential: string;
}

interface EnvFile {
  /** Absolute. Its directory must exist; the file is created with 0600. */
  readonly path: string;
  readonly followSymlink: boolean;
  /** `in-place` is for a bind-mounted file, which cannot be replaced: a reader may then see half of it. */
  readonly write: 'atomic' | 'in-place';
  readonly fingerprint: Fingerprinter;
  /** `value_taken_over`: the file held a value that freshd did not write, and holds freshd's now. */
  readonly onNotice: (code: 'value_taken_over', fields: { readonly path: string; readonly variable: string }) => void;
}

export type EnvFileOptions = EnvFile & EnvEntry;
export type ChainEnvFileOptions = EnvFile & { readonly entries: readonly MemberEnvEntry[] };

/** @returns a publisher that throws PortError `value_not_representable`, `verification_failed`, `foreign_value`, or one of atomic-file.ts */
export function createEnvFilePublisher(options: EnvFileOptions): PublisherPort {
  const id = `envFile:${options.path}#${options.variable}`;
  return publisherOf({ id, options, entries: [options], standingFor: () => [options] });
}

/**
 * All that the members of a chain publish in one file.
 * @returns a publisher that throws as one of a single variable does; a foreign value of a member that is not in use is a remark
 */
export function createChainEnvFilePublisher(options: ChainEnvFileOptions): PublisherPort {
  const { path, entries } = options;
  const standingFor = (credential: string) => entries.filter((entry) => entry.credential === credential);
  return publisherOf({ id: `envFile:${path}`, options, entries, standingFor });
}

function publisherOf({
  id,
  options,
  entries,
  standingFor,
}: {
  readonly id: string;
  readonly options: EnvFile;
  readonly entries: readonly EnvEntry[];
  readonly standingFor: (credential: string) => readonly EnvEntry[];
}): PublisherPort {
  const put = (publication: Publication | null): Promise<string | undefined> => {
    const standing = publication === null ? [] : standingFor(publication.credential);
    return withFile(options, (file) => putInto(file, { publication, standing, entries, options }));
  };
  return {
    id,
    file: options.path,
    publish: async (publication) => {
      const left = await put(publication);
      return left === undefined ? undefined : remarkOn(left, options);
    },
    async withdraw() {
      const left = await put(null);
      if (left === undefined) return;
      const remedy = `remove ${left} from ${options.path} yourself, or leave it: the next good token replaces it`;
      throw new PortError(
        `${options.path}: expected in ${left} what freshd wrote, found another value and kept it; ${remedy}`,
        { code: FOREIGN_VALUE, remedy },
      );
    },
  };
}

function remarkOn(left: string, { path }: EnvFile): PublishRemark {
  return {
    code: FOREIGN_VALUE,
    remedy: `${left} in ${path} holds a value that freshd did not write, beside the credential in use: remove it yourself`,
  };
}

/**
 * Runs `edit` alone on the real file, and again when somebody wrote meanwhile. The turn begins before the real file is known:
 * a mount that hangs does so there already, and must keep one thread, not one for each variable of the file.
 */
async function withFile<T>(options: EnvFile, edit: (file: string) => Promise<T>): Promise<T> {
  return inTurn(`named ${options.path}`, async () => editInTurn(await realFile(options), options, edit));
}

async function editInTurn<T>(file: string, options: EnvFile, edit: (file: string) => Promise<T>): Promise<T> {
  return inTurn(file, async () => {
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

interface Put {
  readonly publication: Publication | null;
  /** Of `entries`, those that are to stand; all others are to go. */
  readonly standing: readonly EnvEntry[];
  readonly entries: readonly EnvEntry[];
  readonly options: EnvFile;
}

/** @returns a variable that should go and was kept, because freshd did not write its value */
async function putInto(file: string, put: Put): Promise<string | undefined> {
  const { publication, standing, entries, options } = put;
  const before = await readText(file);
  if (before === null && publication === null) return undefined;
  const found = findAssignments(before ?? '');
  const changes = new Map(publication === null ? [] : standing.flatMap((entry) => valuesOf(publication, entry)));
  const known = new Set((await Promise.all(entries.map(({ lastWritten }) => lastWritten.load()))).flat());
  const isKnown = (assignment: NamedValue): boolean => known.has(markOf(assignment, options));
  for (const entry of standing) await remember(entry, { found: found.filter(isKnown), changes, known, options });

  const leaving = new Set(entries.flatMap(namesOf).filter((name) => !changes.has(name)));
  const foreign = found.filter((one) => leaving.has(one.name) && !isKnown(one));
  const edited = publication === null ? (before ?? '') : editEnv(before ?? '', changes);
  const after = removeFromEnv(edited, (one) => leaving.has(one.name) && isKnown(one));
  if (before === null || after !== before) {
    const gone = [...leaving].map((name) => [name, null] as const);
    const kept = foreign.map(({ name, value }) => [name, value] as const);
    verify({ file, before: before ?? '', after, expected: new Map([...changes, ...gone, ...kept]) });
    await write(file, { before, after }, options);
  } else await syncOnce(file);
  for (const one of found) {
    const isTakenOver = changes.has(one.name) && !isKnown(one) && one.value !== changes.get(one.name);
    if (isTakenOver) options.onNotice('value_taken_over', { path: options.path, variable: one.name });
  }
  return foreign[0]?.name;
}

/** Before the write, together with what stands there of ours: whichever of the two a crash leaves is recognised. */
async function remember(
  entry: EnvEntry,
  about: {
    readonly found: readonly Assignment[];
    readonly changes: ReadonlyMap<string, string | null>;
    readonly known: ReadonlySet<Fingerprint>;
    readonly options: EnvFile;
  },
): Promise<void> {
  const { found, changes, known, options } = about;
  const names = namesOf(entry);
  const pending = names.flatMap((name) => {
    const value = changes.get(name) ?? null;
    return value === null ? [] : [markOf({ name, value }, options)];
  });
  // Seen is not yet kept: whoever saved it may have died before the disk had it, and the file must not be ahead of it.
  if (pending.every((mark) => known.has(mark))) return entry.lastWritten.sync();
  // Also what the same variable had beside it for another member.
  const own = [...names, ...metadataOf(entry.variable)];
  const kept = found.filter(({ name }) => own.includes(name)).map((assignment) => markOf(assignment, options));
  await entry.lastWritten.save([...new Set([...kept, ...pending])]);
}

const metadataOf = (variable: string): string[] => [`${variable}_EXPIRES_AT`, `${variable}_GENERATION`];

const namesOf = ({ variable, metadata }: EnvEntry): string[] => [variable, ...(metadata ? metadataOf(variable) : [])];

function valuesOf({ token, generation }: Publication, entry: EnvEntry): (readonly [string, string | null])[] {
  // An assumed expiry is our guess: readers must not stop using a token on the strength of it.
  const expiresAt = token.expiry.kind === 'known' ? String(Math.floor(token.expiry.expiresAt / 1000)) : null;
  const values = [token.accessToken, expiresAt, String(generation)];
  return namesOf(entry).map((name, nth) => [name, values[nth] ?? null] as const);
}

interface NamedValue {
  readonly name: string;
  readonly value: string;
}

function markOf({ name, value }: NamedValue, { fingerprint }: EnvFile): Fingerprint {
  return fingerprint(`${name}=${value}`);
}

const FOREIGN_VALUE = 'foreign_value';

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
  options: EnvFile,
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
