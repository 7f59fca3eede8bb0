/**
 * Finds, reads and resolves config.json: everything that is wrong with it at once, or the finished configuration.
 *
 * Rule: the only file of this room that reads process.env; never throws for bad input.
 */
import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname } from 'node:path';
import { type Advice, adviseOn } from './advice.ts';
import { complain } from './complaint.ts';
import type { Config } from './config.ts';
import { comparedPaths, findDuplicates } from './duplicates.ts';
import { errnoText, realPathsOf, timeLimit } from './file-facts.ts';
import { parseConfig } from './parse.ts';
import { type Capture, configPlaces } from './paths.ts';
import { readRegularFile, remedyOfRefusal } from './regular-file.ts';
import { findReserved, reservedPaths } from './reserved.ts';
import { resolveConfig } from './resolve.ts';
import type { RawConfig } from './schema.ts';
import { readSecretFiles } from './secret-files.ts';
import { fileReferences } from './secrets.ts';
import { findDistrust } from './trust.ts';

/** Ten thousand credentials need a few; more is no configuration. */
const CONFIG_BYTES_MAX = 32 * 1024 * 1024;

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly advice: readonly Advice[]; readonly secrets: Secrets }
  /** Each as `path: expected, got; remedy`. `system`: it lacked files or memory, and nothing was found wrong with the configuration. */
  | { readonly ok: false; readonly kind: 'configuration' | 'system'; readonly problems: readonly string[] };

/** The secrets that a configuration took from files. */
export interface Secrets {
  /** Does a file hold another one now that this credential took? Each change is told once, to whoever looks first. */
  haveChanged(credential: string): Promise<boolean>;
  /** The same text of config.json, with the secrets that the files hold now. */
  reload(): Promise<LoadResult>;
}

interface LoadOptions {
  /** `--config` */
  readonly path?: string | undefined;
  /** `--socket` */
  readonly socket?: string | undefined;
  /** Taken once at start, used again by every reload. */
  readonly capture: Capture;
}

/** Loads the configuration. */
export async function loadConfig(options: LoadOptions): Promise<LoadResult> {
  const { capture } = options;
  const file = await readFirst(configPlaces(options.path, capture));
  if (!file.ok) return { ok: false, kind: file.kind, problems: [file.problem] };
  const { path, text } = file;
  const distrust = await findDistrust(path, capture);
  if (distrust.length > 0) return invalid(distrust);
  const parsed = parseConfig(text);
  if (parsed.raw === null) return invalid(parsed.problems.map((problem) => `${path}: ${problem}`));
  return finish({ raw: parsed.raw, problems: parsed.problems }, path, options);
}

/** Everything that comes after the text of config.json is understood; once more for other secrets. */
async function finish(
  parsed: { readonly raw: RawConfig; readonly problems: readonly string[] },
  path: string,
  options: LoadOptions,
): Promise<LoadResult> {
  const { raw } = parsed;
  const { capture, socket } = options;
  const files = await readSecretFiles(fileReferences(raw), { directory: dirname(path), capture });
  if (files.refusal !== null) return { ok: false, kind: 'system', problems: [files.refusal] };
  const resolved = resolveConfig(raw, { path, socket, capture, files: files.secrets });
  const { config } = resolved;
  const realPaths = await realPathsOf([...new Set([...comparedPaths(config), ...reservedPaths(config)])]);
  const clashes = [...findDuplicates(config, realPaths), ...findReserved(config, realPaths)];
  const problems = [...parsed.problems, ...resolved.problems, ...clashes];
  if (problems.length > 0) return invalid(problems);
  const secrets: Secrets = {
    haveChanged: (credential) => files.haveChanged(fileReferences(raw.credentials[credential])),
    reload: () => finish(parsed, path, options),
  };
  const advice = (await timeLimit()(adviseOn(config, { raw, capture }))) ?? [FILES_SILENT];
  return { ok: true, config, advice: [...files.advice, ...advice], secrets };
}

const FILES_SILENT: Advice = {
  code: 'files_silent',
  message: `credentials: ${complain({
    expected: 'each store, target and program to be looked at within 3 s',
    seen: 'one that does not answer, so there is no advice',
    remedy: 'see which mount hangs; everything that lies elsewhere is served',
  })}`,
};

const invalid = (problems: readonly string[]): LoadResult => ({ ok: false, kind: 'configuration', problems });

/** What this process was started with. Call it once: a reload must not see another environment than the start. */
export function captureEnvironment(): Capture {
  return {
    env: { ...process.env },
    home: homedir(),
    cwd: process.cwd(),
    platform: process.platform,
    uid: process.geteuid?.() ?? null,
    machineId: machineId(),
  };
}

/**
 * Takes out of this process' environment what was captured and is nobody else's business. A program that is started without an
 * environment of its own inherits this one. `/proc/PID/environ` shows what the process was started with all the same.
 * @param isKept what any program may see
 */
export function scrubEnvironment(isKept: (name: string) => boolean): void {
  for (const name of Object.keys(process.env)) if (!isKept(name)) delete process.env[name];
}

/** The name of the host has to do where the system has no id of its own; it only seeds jitter. */
function machineId(): string {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    try {
      const id = readFileSync(path, 'utf8').trim();
      if (id !== '') return id;
    } catch (error) {
      if (errnoText(error) === 'an unknown error') throw error;
    }
  }
  return hostname();
}

type ReadResult =
  | { readonly ok: true; readonly path: string; readonly text: string }
  | { readonly ok: false; readonly kind: 'configuration' | 'system'; readonly problem: string };

async function readFirst(places: readonly string[]): Promise<ReadResult> {
  for (const path of places) {
    try {
      const text = await readRegularFile(path, CONFIG_BYTES_MAX);
      if (typeof text === 'string') return { ok: true, path, text };
      return refuse(path, 'a JSON file in UTF-8', text.seen, 'name the right file with --config');
    } catch (error) {
      const code = errnoText(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') continue;
      const remedy = remedyOfRefusal(code);
      if (remedy !== null) return { ...refuse(path, 'to be able to read it', code, remedy), kind: 'system' };
      return refuse(path, 'a readable file', code, 'correct its mode, or name another file with --config');
    }
  }
  const looked = places.join(', ');
  return refuse('configuration', `a file at ${looked}`, 'none', 'let freshd init write one, or name one with --config');
}

const refuse = (path: string, expected: string, seen: string, remedy: string) => ({
  ok: false as const,
  kind: 'configuration' as const,
  problem: `${path}: ${complain({ expected, seen, remedy })}`,
});
