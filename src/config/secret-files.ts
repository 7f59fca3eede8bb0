/**
 * The files that `${file:PATH}` names: reads them, and notices when one comes to hold another secret.
 *
 * Rule: to look costs a `stat`; content is read only where that differs. Nothing here is about a value: only whether it is
 * the same.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Advice } from './advice.ts';
import { complain } from './complaint.ts';
import { errnoText, isReadableByOthers, statOrNull } from './file-facts.ts';
import type { Capture } from './paths.ts';
import { readRegularFile, remedyOfRefusal } from './regular-file.ts';
import { type FileSecret, secretPlaces } from './secrets.ts';

export interface SecretFiles {
  /** By reference: the text between `${file:` and `}`. */
  readonly secrets: ReadonlyMap<string, FileSecret>;
  readonly advice: readonly Advice[];
  /** The system lacked what it takes to read one: nothing is known of it. Null: it did not. */
  readonly refusal: string | null;
  /** Does one of these hold something else than when it was read? Each change is told once. */
  haveChanged(references: readonly string[]): Promise<boolean>;
}

interface Site {
  /** Of the configuration. */
  readonly directory: string;
  readonly capture: Capture;
}

export async function readSecretFiles(references: readonly string[], site: Site): Promise<SecretFiles> {
  const secrets = new Map<string, FileSecret>();
  const seen = new Map<string, string>();
  const looking = new Map<string, Promise<boolean>>();
  const advice: Advice[] = [];
  let refusal: string | null = null;
  for (const reference of references) {
    const look = await lookAt(reference, site);
    const read = await readSecret(look.path);
    if (read.refusal === null) secrets.set(reference, read.secret);
    refusal ??= read.refusal;
    seen.set(reference, look.stamp);
    if (look.isReadableByOthers) advice.push(readableSecret(look.path));
  }

  async function hasChanged(reference: string): Promise<boolean> {
    const { path, stamp } = await lookAt(reference, site);
    if (seen.get(reference) === stamp) return false;
    const read = await readSecret(path);
    // Not seen yet, then: the next look reads it.
    if (read.refusal !== null) return false;
    seen.set(reference, stamp);
    return !isDeepStrictEqual(read.secret, secrets.get(reference));
  }

  /** One look at a time: a mount that hangs must cost one operation, not one for each credential and minute. */
  function lookOnce(reference: string): Promise<boolean> {
    const underWay = looking.get(reference);
    if (underWay !== undefined) return underWay;
    const look = hasChanged(reference).finally(() => looking.delete(reference));
    looking.set(reference, look);
    return look;
  }

  return {
    secrets,
    advice,
    refusal,
    async haveChanged(wanted) {
      return (await Promise.all(wanted.map(lookOnce))).includes(true);
    },
  };
}

/** Looked at before it is read: what is written in between has another stamp at the next look. */
async function lookAt(
  reference: string,
  site: Site,
): Promise<{ readonly path: string; readonly stamp: string; readonly isReadableByOthers: boolean }> {
  const [first = reference, second = first] = secretPlaces(reference, site);
  const foundFirst = await statOrNull(first);
  const [path, found] = foundFirst === null ? [second, await statOrNull(second)] : [first, foundFirst];
  if (found === null) return { path, stamp: 'none', isReadableByOthers: false };
  const { dev, ino, size, mtimeMs, ctimeMs } = found;
  const stamp = [path, dev, ino, size, mtimeMs, ctimeMs].join(':');
  return { path, stamp, isReadableByOthers: isReadableByOthers(found) };
}

type ReadSecret =
  | { readonly refusal: null; readonly secret: FileSecret }
  | { readonly refusal: string; readonly secret: null };

async function readSecret(path: string): Promise<ReadSecret> {
  try {
    const text = await readRegularFile(path, SECRET_BYTES_MAX);
    if (typeof text !== 'string') return broken(text.seen, `put the secret alone into ${path}`);
    // An editor ends the last line; the secret does not end so.
    const value = text.replace(/\r?\n$/, '');
    // Whoever writes in place empties the file first.
    if (value === '') return broken('an empty file', `put the secret into ${path}`);
    return { refusal: null, secret: { ok: true, value } };
  } catch (error) {
    const seen = errnoText(error);
    const remedy = remedyOfRefusal(seen);
    if (remedy === null) return broken(seen, `create ${path}, readable by the user that runs freshd`);
    return { refusal: `${path}: ${complain({ expected: 'to be able to read it', seen, remedy })}`, secret: null };
  }
}

const broken = (seen: string, remedy: string): ReadSecret => ({ refusal: null, secret: { ok: false, seen, remedy } });

const readableSecret = (path: string): Advice => ({
  code: 'secret_readable_by_others',
  message: `${path}: ${complain({ expected: 'a secret that only you may read', seen: 'one that others may', remedy: `chmod go-rwx ${path}` })}`,
});

const SECRET_BYTES_MAX = 64 * 1024;
