/**
 * What must not stand twice: a store entry, a variable of a `.env` file outside a chain, and a source that is its own target.
 *
 * Rule: pure; files are compared by their real paths, which load.ts looks up.
 */
import { complain, pathText } from './complaint.ts';
import type { Config, CredentialConfig, StoreConfig } from './config.ts';
import { tokenFilePath } from './paths.ts';

/** @param realPaths by configured path; a path that is not in it is its own */
export function findDuplicates(config: Config, realPaths: ReadonlyMap<string, string>): readonly string[] {
  const real = (path: string): string => realPaths.get(path) ?? path;
  const sources = config.credentials.flatMap((credential) => sourceOf(credential, real));
  const targets = config.credentials.flatMap((credential) => targetsOf(config, credential, real));
  return [
    ...clashes(sources, sources, 'a store entry of its own', 'remove one, or give it an entry of its own'),
    ...clashes(targets, targets, 'a variable that nothing else writes', 'give one of them another name or file'),
    ...clashes(sources, targets, 'a place that no store is read from', 'publish into another file or variable'),
    ...mannersOfChains(config, real),
  ];
}

/** Every path whose real path the comparison needs. */
export function comparedPaths(config: Config): readonly string[] {
  const paths = config.credentials.flatMap((credential) => [
    ...('path' in credential.store && credential.store.path !== null ? [credential.store.path] : []),
    ...credential.publish.flatMap((target) => (target.type === 'envFile' ? [target.path] : [])),
  ]);
  return [...new Set(paths)];
}

/** A place in a file. Two whole files clash by their path; two entries of one kind only by the same entry. */
interface Place {
  readonly at: string;
  readonly file: string;
  readonly kind: 'whole' | 'member' | 'pointer' | 'variable';
  readonly entry: string;
  /** Of a variable whose credential is in a chain: two members may share it, since only one of them is in use. */
  readonly shared?: { readonly chain: string; readonly credential: string; readonly variable: string } | null;
}

function sourceOf(credential: CredentialConfig, real: (path: string) => string): readonly Place[] {
  const { store } = credential;
  if (!('path' in store)) return [];
  const at = pathText(['credentials', credential.name, 'store']);
  const file = store.path === null ? KEYCHAIN : real(store.path);
  return entriesOf(store).map((entry) => ({ at, file, ...entry }));
}

function entriesOf(store: StoreConfig): readonly Pick<Place, 'kind' | 'entry'>[] {
  switch (store.format) {
    case 'json':
      return [{ kind: 'pointer', entry: store.pointers.accessToken }];
    case 'env':
      return [store.variable, ...(store.expiresAtVariable === null ? [] : [store.expiresAtVariable])].map((entry) => ({
        kind: 'variable',
        entry,
      }));
    case 'token-response':
    case 'opencode':
    case 'openclaw':
    case 'hermes':
    case 'grok':
      return [store.entry === null ? { kind: 'whole', entry: '' } : { kind: 'member', entry: store.entry }];
    default:
      return [{ kind: 'whole', entry: '' }];
  }
}

function targetsOf(config: Config, credential: CredentialConfig, real: (path: string) => string): readonly Place[] {
  const tokenFile = tokenFilePath(config.runtimeDirectory, credential.name);
  const places: Place[] = [];
  if (credential.tokenFile) {
    const at = pathText(['credentials', credential.name, 'tokenFile']);
    places.push({ at, file: tokenFile, kind: 'whole', entry: '' });
  }
  for (const [index, target] of credential.publish.entries()) {
    if (target.type !== 'envFile') continue;
    const at = pathText(['credentials', credential.name, 'publish', index]);
    const { variable } = target;
    const { name, follows } = credential;
    const shared = follows === null ? null : { chain: follows, credential: name, variable };
    const metadata = target.metadata ? [`${target.variable}_EXPIRES_AT`, `${target.variable}_GENERATION`] : [];
    for (const entry of [target.variable, ...metadata]) {
      places.push({ at, file: real(target.path), kind: 'variable', entry, shared });
    }
  }
  return places;
}

/** Every place of `second` that is also one of an earlier place of `first`; grouped by file, so that thousands stay cheap. */
function clashes(first: readonly Place[], second: readonly Place[], expected: string, remedy: string): string[] {
  const byFile = new Map<string, Place[]>();
  for (const place of first) {
    const others = byFile.get(place.file);
    if (others === undefined) byFile.set(place.file, [place]);
    else others.push(place);
  }
  // One message for each pair: a variable brings its metadata along.
  const messages = new Map<string, string>();
  for (const place of second) {
    const others = byFile.get(place.file) ?? [];
    const end = first === second ? others.indexOf(place) : others.length;
    const other = others.slice(0, end).find((candidate) => isSamePlace(candidate, place));
    if (other === undefined || messages.has(`${place.at} ${other.at}`)) continue;
    const name = other.entry === '' ? other.file : `${other.entry} in ${other.file}`;
    const seen = `the one of ${other.at} (${name})`;
    messages.set(`${place.at} ${other.at}`, `${place.at}: ${complain({ expected, seen, remedy })}`);
  }
  return [...messages.values()];
}

/** Its one login, which has no path. */
const KEYCHAIN = 'the Keychain';

function isSamePlace(a: Place, b: Place): boolean {
  if (a.kind !== b.kind) return true;
  return a.entry === b.entry && !areMembersOfOneChain(a, b);
}

function areMembersOfOneChain({ shared: a }: Place, { shared: b }: Place): boolean {
  if (!a || !b) return false;
  return a.chain === b.chain && a.credential !== b.credential && a.variable === b.variable;
}

/** All that a chain publishes in one file is one write, so it has to be written in one manner. */
function mannersOfChains(config: Config, real: (path: string) => string): string[] {
  const first = new Map<string, { readonly at: string; readonly manner: string }>();
  return config.credentials.flatMap(({ name, follows, publish }) =>
    publish.flatMap((target, index) => {
      if (follows === null || target.type !== 'envFile') return [];
      const at = pathText(['credentials', name, 'publish', index]);
      const { path, write, followSymlink } = target;
      const manner = JSON.stringify({ envFile: path, write, followSymlink });
      const key = JSON.stringify([follows, real(path)]);
      const known = first.get(key) ?? { at, manner };
      first.set(key, known);
      if (known.manner === manner) return [];
      const expected = `${known.manner}, as in ${known.at}`;
      return `${at}: ${complain({ expected, seen: manner, remedy: `${follows} writes both at once: make them the same` })}`;
    }),
  );
}
