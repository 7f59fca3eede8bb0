/**
 * The program of a refresh script, looked at before it is run: there, executable, and nobody else's to change.
 *
 * Rule: each obstacle is a `config` failure of local origin that says what was expected, what was seen and what helps; it
 * goes away by itself when the file is put right. Only a look that failed is `transient`.
 */
import { constants, type Stats } from 'node:fs';
import { access, open, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, resolve } from 'node:path';
import type { Failure } from '../../core/failure.ts';
import { errnoOf, portErrorFrom } from '../port-error.ts';

/** How a program is named: `name` is argv[0], looked up in `searchPath` unless it has a slash. */
export interface ProgramName {
  readonly name: string;
  readonly cwd: string;
  /** PATH of the child. */
  readonly searchPath: string;
}

export type InspectedProgram =
  | { readonly kind: 'program'; readonly path: string }
  | { readonly kind: 'obstacle'; readonly failure: Failure };

/**
 * Finds the program and judges it. Reads file metadata and its first line; runs nothing.
 * @returns never throws for what the disk does: a look that fails is an obstacle too
 */
export async function inspectProgram(program: ProgramName): Promise<InspectedProgram> {
  try {
    const failure = await cwdObstacle(program.cwd);
    if (failure !== null) return { kind: 'obstacle', failure };
    const path = await locate(program);
    if (path === null) return { kind: 'obstacle', failure: missing(program) };
    const obstacle = (await fileObstacle(program.name, path)) ?? (await interpreterObstacle(program, path));
    return obstacle === null ? { kind: 'program', path } : { kind: 'obstacle', failure: obstacle };
  } catch (error) {
    // It went away while we looked: somebody is replacing it.
    if (isRefusal(error)) return { kind: 'obstacle', failure: missing(program) };
    if (errnoOf(error) === undefined) throw error;
    return { kind: 'obstacle', failure: unseen(program, error) };
  }
}

/** No descriptors, or a disk that fails: nothing is known of the program, and nothing was run. */
function unseen({ name }: ProgramName, error: unknown): Failure {
  const { code, message } = portErrorFrom(error, { path: name, doing: 'look at' });
  return { ...localObstacle(code, message), class: 'transient' };
}

/** A local obstacle as a failure: re-checked without a request, and nothing was sent. */
function localObstacle(code: string, detail: string): Failure {
  return { class: 'config', code, doubt: false, unsent: true, origin: 'local', retryAfterMs: null, detail };
}

async function cwdObstacle(cwd: string): Promise<Failure | null> {
  if ((await statOrNull(cwd))?.isDirectory() === true) return null;
  const detail = `expected the directory ${cwd} to run the script in, but it is not there; create it, or move the config back`;
  return localObstacle('working_directory_missing', detail);
}

/** @returns null when there is no such file */
async function locate({ name, cwd, searchPath }: ProgramName): Promise<string | null> {
  if (name.includes('/')) {
    const path = resolve(cwd, name);
    return (await statOrNull(path)) === null ? null : path;
  }
  let fallback: string | null = null;
  for (const directory of searchPath.split(delimiter).filter((entry) => entry !== '')) {
    const path = resolve(cwd, directory, name);
    if ((await statOrNull(path))?.isFile() !== true) continue;
    if (await isExecutable(path)) return path;
    // As a shell does: remember it for the message, and go on.
    fallback ??= path;
  }
  return fallback;
}

function missing({ name, cwd, searchPath }: ProgramName): Failure {
  const detail = name.includes('/')
    ? `expected a script at ${resolve(cwd, name)}, but nothing is there; put it there, or correct refresh.command`
    : `expected the program ${name} on the PATH ${searchPath}, but it is not there; write its absolute path into refresh.command, or route a PATH by refresh.environment`;
  return localObstacle('script_missing', detail);
}

async function fileObstacle(name: string, path: string): Promise<Failure | null> {
  const target = await realpath(path);
  const found = await stat(target);
  const shown = name === target ? name : `${name} (${target})`;
  if (!found.isFile()) {
    const detail = `expected an executable file at ${shown}, but it is none; name the script in refresh.command`;
    return localObstacle('script_not_executable', detail);
  }
  if (!(await isExecutable(target))) {
    const detail = `expected ${shown} to be executable, but its mode is ${modeText(found)}; chmod +x ${target}`;
    return localObstacle('script_not_executable', detail);
  }
  return (
    unsafe(shown, target, found, isWritableByOthers(found)) ??
    // Who may write the directory may put another file in its place; a sticky one lets only the owner do so.
    (await folderObstacle(dirname(target))) ??
    // The link lies in a folder too.
    (await folderObstacle(dirname(path)))
  );
}

async function folderObstacle(folder: string): Promise<Failure | null> {
  const found = await stat(folder);
  const isOpen = (found.mode & 0o002) !== 0 && (found.mode & 0o1000) === 0;
  return unsafe(`the folder ${folder}`, folder, found, isOpen);
}

function unsafe(shown: string, path: string, found: Stats, isOpen: boolean): Failure | null {
  // Windows has neither owners nor modes that mean anything here.
  const ourUid = process.geteuid?.();
  if (ourUid === undefined) return null;
  if (found.uid !== ourUid && found.uid !== 0) {
    const detail = `expected ${shown} to belong to uid ${ourUid} or root, but it belongs to uid ${found.uid}; look at what it does, then chown ${ourUid} ${path}`;
    return localObstacle('script_wrong_owner', detail);
  }
  if (isOpen) {
    const detail = `expected that only its owner may write ${shown}, but its mode is ${modeText(found)}; look at what it does, then chmod go-w ${path}`;
    return localObstacle('script_writable_by_others', detail);
  }
  return null;
}

/** A group of the owner's own number is by convention his alone, as many systems set up their users; any other may hold strangers. */
function isWritableByOthers(found: Stats): boolean {
  return (found.mode & 0o002) !== 0 || ((found.mode & 0o020) !== 0 && found.gid !== found.uid);
}

/** The kernel says ENOENT both for a missing script and for its missing interpreter; a person needs to know which. */
async function interpreterObstacle(program: ProgramName, path: string): Promise<Failure | null> {
  const line = await firstLine(path);
  const [interpreter, ...words] =
    /^#!\s*([^\n]+)$/
      .exec(line)?.[1]
      ?.split(' ')
      .filter((word) => word !== '') ?? [];
  if (interpreter === undefined) return null;
  const wanted = basename(interpreter) === 'env' ? words.find((word) => !/^-|=/.test(word)) : undefined;
  const lookup = { ...program, name: wanted ?? interpreter };
  const found = await locate(lookup);
  if (found !== null && (await isExecutable(found))) return null;
  const remedy = lookup.name.endsWith('\r')
    ? 'its lines end as on Windows: convert it (sed -i "s/\\r$//")'
    : 'install it, correct the first line, or route a PATH by refresh.environment';
  const where = lookup.name.includes('/') ? '' : ` on the PATH ${program.searchPath}`;
  const detail = `expected the interpreter ${JSON.stringify(lookup.name)} that the first line of ${path} names, but it is not there${where}; ${remedy}`;
  return localObstacle('script_interpreter_missing', detail);
}

/** @returns an empty string for what may be run but not read */
async function firstLine(path: string): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(SHEBANG_BYTES_MAX), 0, SHEBANG_BYTES_MAX, 0);
      return buffer.toString('latin1', 0, bytesRead).split('\n', 1)[0] ?? '';
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return '';
    throw error;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return REFUSALS.has(errnoOf(error) ?? '');
}

function modeText(found: Stats): string {
  return `0${(found.mode & 0o7777).toString(8).padStart(3, '0')}`;
}

// What a path can answer that means "not for us".
const REFUSALS: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']);

// The kernel reads 256 bytes of the first line.
const SHEBANG_BYTES_MAX = 256;
