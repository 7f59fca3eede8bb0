/**
 * Finds one login among several in a tool's file: the one that the configuration names, else the only one there is.
 *
 * Rule: with several and no name nothing is guessed: the wrong account's token is worse than none.
 */
import { isJsonObject, type JsonObject, valueAt } from './json-document.ts';
import type { Path, Whereabouts } from './json-places.ts';

/** Where the login lies, and the object that it is. */
export type FoundEntry = { readonly kind: 'entry'; readonly path: Path; readonly value: JsonObject };

export function findEntry(
  root: unknown,
  options: {
    /** The object whose members are the logins. */
    readonly within: Path;
    /** Null: the only one. */
    readonly entry: string | null;
    readonly isLogin: (value: JsonObject) => boolean;
  },
): FoundEntry | Exclude<Whereabouts, { kind: 'places' }> {
  const { within, entry, isLogin } = options;
  if (!isJsonObject(root)) return { kind: 'broken', detail: 'expected a JSON object' };
  const container = valueAt(root, within);
  if (container === undefined || container === null) return { kind: 'missing', detail: 'it holds no login' };
  if (!isJsonObject(container)) return { kind: 'broken', detail: `expected an object in ${within.join('.')}` };
  if (entry !== null) return namedEntry(container, { entry, within, isLogin });
  const names = Object.keys(container).filter((name) => {
    const value = container[name];
    return isJsonObject(value) && isLogin(value);
  });
  const [name, ...others] = names;
  const value = name === undefined ? undefined : container[name];
  if (name === undefined || !isJsonObject(value)) return { kind: 'missing', detail: 'it holds no login' };
  if (others.length === 0) return { kind: 'entry', path: [...within, name], value };
  const listed = names.slice(0, NAMES_LISTED_MAX).join(', ');
  return {
    kind: 'broken',
    detail: `expected one login, found ${names.length} (${listed}); say which with "entry"`,
  };
}

function namedEntry(
  container: JsonObject,
  { entry, within, isLogin }: { entry: string; within: Path; isLogin: (value: JsonObject) => boolean },
): FoundEntry | Exclude<Whereabouts, { kind: 'places' }> {
  const name = JSON.stringify(entry);
  const value = Object.hasOwn(container, entry) ? container[entry] : undefined;
  if (value === undefined || value === null) return { kind: 'missing', detail: `there is no entry ${name}` };
  if (!isJsonObject(value)) return { kind: 'broken', detail: `expected an object in the entry ${name}` };
  if (!isLogin(value)) return { kind: 'missing', detail: `the entry ${name} holds no OAuth login` };
  return { kind: 'entry', path: [...within, entry], value };
}

/** @returns the members' names among `names` that this login has, filled ones first; else the first of `names` */
export function spellingIn(login: JsonObject, names: readonly [string, ...string[]]): string {
  const present = names.filter((name) => Object.hasOwn(login, name));
  const isFilled = (name: string) => login[name] !== '' && login[name] !== null;
  return present.find(isFilled) ?? present[0] ?? names[0];
}

// Enough to recognise one's own; a message is not a listing.
const NAMES_LISTED_MAX = 8;
