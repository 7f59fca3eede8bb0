/**
 * `freshd init [FORMAT...]`: finds the logins of tools on this machine, and writes a first configuration for some of them.
 *
 * Rule: a configuration that is there is never touched without --force; and what is written has been loaded, or is gone again.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config/load.ts';
import { type Capture, configPlaces } from '../../config/paths.ts';
import { resolveConfig } from '../../config/resolve.ts';
import type { RawCredential } from '../../config/schema.ts';
import {
  type CommandArguments,
  CommandError,
  type CommandIo,
  type CommandSpec,
  isSwitchedOn,
  optionValue,
} from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { table } from '../format.ts';
import { credentialOf, INIT_FORMATS, type InitFormat, recipeOf } from '../init/formats.ts';
import { captureOf } from '../socket-place.ts';

export const command: CommandSpec = {
  name: 'init',
  summary: 'write a first configuration for the logins of tools; alone, list what is found here',
  argument: 'any',
  argumentName: 'FORMAT',
  argumentChoices: INIT_FORMATS,
  options: [
    { name: 'dry-run', summary: 'print the configuration, and write nothing' },
    { name: 'force', summary: 'replace a configuration that is there; it is kept beside the new one' },
  ],
  async run(args, io) {
    const capture = captureOf(io);
    if (args.words.length === 0) return list(capture, io);
    return write([...new Set(args.words.map(formatOf))], { args, io, capture });
  },
};

/** @throws CommandError for what is none */
function formatOf(word: string): InitFormat {
  const format = INIT_FORMATS.find((known) => known === word);
  if (format !== undefined) return format;
  throw new CommandError(`FORMAT: expected ${INIT_FORMATS.join(', ')}, got ${JSON.stringify(word)}`, EXIT.usage);
}

/** Where a tool keeps its login; null: not in a file (macOS: the Keychain). */
function placeOf(format: InitFormat, capture: Capture): string | null {
  const raw = { credentials: { [recipeOf(format).name]: credentialOf(format, SCRIPTS) } };
  const path = configPlaces(undefined, capture)[0] ?? '/';
  const { config } = resolveConfig(raw, { path, socket: undefined, capture, files: new Map() });
  const store = config.credentials[0]?.store;
  return store !== undefined && 'path' in store ? store.path : null;
}

function list(capture: Capture, io: CommandIo): number {
  const places = INIT_FORMATS.map((format) => ({ format, place: placeOf(format, capture) }));
  const rows = places.map(({ format, place }) => [
    { text: format },
    place === null
      ? { text: 'in the Keychain, if at all' }
      : existsSync(place)
        ? { text: 'found', tone: 'good' as const }
        : { text: 'no', tone: 'quiet' as const },
    { text: place ?? '-', tone: 'quiet' as const },
  ]);
  io.write(
    table([['FORMAT', 'HERE', 'WHERE'].map((text) => ({ text, tone: 'quiet' as const })), ...rows], io.isColourful),
  );
  const found = places.filter(({ place }) => place !== null && existsSync(place)).map(({ format }) => format);
  io.write(`\nnext: ${found.length === 0 ? NOTHING_FOUND : `freshd init ${found.join(' ')}`}\n`);
  return EXIT.ok;
}

const NOTHING_FOUND =
  'log in with one of these tools, then freshd init FORMAT; for another credential write a configuration (docs/config.md)';

interface Request {
  readonly args: CommandArguments;
  readonly io: CommandIo;
  readonly capture: Capture;
}

async function write(formats: readonly InitFormat[], { args, io, capture }: Request): Promise<number> {
  for (const format of formats) {
    const store = placeOf(format, capture);
    if (store === null || existsSync(store)) continue;
    throw new CommandError(
      `${format}: expected a login at ${store}, got none; log in with that tool first`,
      EXIT.failure,
    );
  }
  // The first of all places: what lies in a later one, that of the system, does not stand in the way of a person's own.
  const path = configPlaces(optionValue(args, 'config'), capture)[0] ?? '';
  const isThere = existsSync(path);
  const entry = Object.fromEntries(
    formats.map((format) => [recipeOf(format).name, credentialOf(format, SCRIPTS)] as const),
  );
  const text = textOf(entry);
  if (isSwitchedOn(args, 'dry-run')) {
    io.write(text);
    return EXIT.ok;
  }
  if (isThere && !isSwitchedOn(args, 'force')) {
    io.write(`${JSON.stringify(entry, null, 2)}\n`);
    throw new CommandError(
      `${path} is there already, and stays; put the lines above into its "credentials", or say --force`,
      EXIT.failure,
    );
  }
  const kept = writing(path, () => {
    const before = isThere ? keep(path) : null;
    writeNew(path, text);
    return before;
  });
  const loaded = await loadConfig({ path, capture });
  if (!loaded.ok) {
    rmSync(path);
    if (kept !== null) renameSync(kept, path);
    for (const problem of loaded.problems) io.complain(problem);
    return EXIT.configuration;
  }
  io.write(`wrote ${path}, and it loads${kept === null ? '' : `; the one from before is ${kept}`}\n`);
  for (const { code, message } of loaded.advice) io.write(`advice ${code}: ${message}\n`);
  for (const format of formats) {
    const { more } = recipeOf(format);
    if (more !== null) io.write(`${format}: ${more}\n`);
  }
  const named = optionValue(args, 'config') === undefined ? '' : ` --config ${path}`;
  io.write(
    `next: freshd run --dry-run${named}, then freshd run${named}; as a service: freshd service install${named}\n`,
  );
  return EXIT.ok;
}

const textOf = (credentials: Readonly<Record<string, RawCredential>>): string =>
  `${JSON.stringify({ $schema: SCHEMA, credentials, alerts: { sinks: [{ type: 'desktop' }] } }, null, 2)}\n`;

/** @throws CommandError where the folder or a file there is not to be written */
function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CommandError(
      `${path}: expected to write it, got ${error.code}; correct the folder, or name another place with --config`,
      EXIT.permission,
      { cause: error },
    );
  }
}

/** @returns where it is now: a copy of before is never written over */
function keep(path: string): string {
  for (let nth = 1; ; nth += 1) {
    const kept = `${path}.before-${nth}`;
    if (existsSync(kept)) continue;
    writeFileSync(kept, readFileSync(path), { mode: 0o600, flag: 'wx' });
    return kept;
  }
}

function writeNew(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const ROOT = new URL('../../../', import.meta.url);
const SCRIPTS = fileURLToPath(new URL('scripts', ROOT));
const SCHEMA = fileURLToPath(new URL('config.schema.json', ROOT));
