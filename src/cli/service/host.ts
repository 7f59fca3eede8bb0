/**
 * The machine for `freshd service`: what is there, and the doing of a plan's steps.
 *
 * Rule: decides nothing. Programs are run by name and arguments, never through a shell; whatever they print is shown.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, type CommandIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { pause } from '../time.ts';
import type { InstallRecord, Manager, Step } from './plan.ts';

export interface Host {
  /** Who starts services here; null: nobody that freshd knows. */
  readonly manager: Manager | null;
  readonly user: string;
  /** Absolute paths of what runs now. */
  readonly node: string;
  readonly program: string;
  /** A file that is shipped with the program. */
  shipped(path: string): string;
  digests(paths: readonly string[]): Record<string, string>;
  /** Null when there is none; one that cannot be understood is none. */
  record(path: string): InstallRecord | null;
  exists(path: string): boolean;
  /** What it prints; null when it fails or cannot be run. */
  ask(argv: readonly [string, ...string[]]): Promise<string | null>;
  /** Its output is shown. @returns its exit status */
  show(argv: readonly [string, ...string[]]): Promise<number>;
  /** @throws CommandError when the step fails */
  perform(step: Step): Promise<void>;
  removeTree(path: string): void;
}

export function createHost(io: CommandIo): Host {
  const root = new URL('../../../', import.meta.url);
  const environment = { ...io.env, ...managerAddress(io) };
  const start = (argv: readonly [string, ...string[]], stdio: 'inherit' | 'pipe') => run(argv, { stdio, environment });
  return {
    manager: managerOf(io.platform),
    user: userInfo().username,
    node: process.execPath,
    program: fileURLToPath(new URL('bin/freshd.js', root)),
    shipped: (path) => readFileSync(new URL(path, root), 'utf8'),
    digests: (paths) =>
      Object.fromEntries(
        paths.filter((path) => existsSync(path)).map((path) => [path, digestOf(readFileSync(path, 'utf8'))]),
      ),
    record: readRecord,
    exists: existsSync,
    async ask(argv) {
      const { status, stdout } = await start(argv, 'pipe');
      return status === 0 ? stdout.trim() : null;
    },
    async show(argv) {
      const { status } = await start(argv, 'inherit');
      if (status === null)
        throw new CommandError(`${argv[0]}: expected a program, got none of that name`, EXIT.unavailable);
      return status;
    },
    async perform(step) {
      if (step.do === 'write') writeWhole(step.path, step.content);
      else if (step.do === 'remove') rmSync(step.path, { force: true });
      else if (step.do === 'await') await until(step.path);
      else {
        const { status, stderr } = await start(step.argv, 'pipe');
        if (status === 0 || step.mayFail === true) return;
        const why = stderr.trim() || `status ${status ?? 'none: there is no such program'}`;
        throw new CommandError(`${step.argv.join(' ')}: ${why}`, EXIT.failure);
      }
    },
    removeTree: (path) => rmSync(path, { recursive: true, force: true }),
  };
}

export const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');

function managerOf(platform: NodeJS.Platform): Manager | null {
  if (platform === 'darwin') return 'launchd';
  // As sd_booted(3) finds it.
  return platform === 'linux' && existsSync('/run/systemd/system') ? 'systemd' : null;
}

/** A shell that `su` or `cron` opened does not know where the manager of its own user is. */
function managerAddress({ env, platform, uid }: CommandIo): Record<string, string> {
  return platform === 'linux' && uid !== null && env.XDG_RUNTIME_DIR === undefined
    ? { XDG_RUNTIME_DIR: `/run/user/${uid}` }
    : {};
}

interface Ran {
  /** Null: there is no such program. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  [program, ...args]: readonly [string, ...string[]],
  options: { readonly stdio: 'inherit' | 'pipe'; readonly environment: CommandIo['env'] },
): Promise<Ran> {
  return new Promise((resolve) => {
    let [stdout, stderr] = ['', ''];
    const { stdio, environment } = options;
    const child = spawn(program, args, { stdio: ['ignore', stdio, stdio], env: environment });
    child.stdout?.on('data', (text) => {
      stdout += text;
    });
    child.stderr?.on('data', (text) => {
      stderr += text;
    });
    child.on('error', () => resolve({ status: null, stdout, stderr }));
    child.on('close', (status) => resolve({ status: status ?? 1, stdout, stderr }));
  });
}

function readRecord(path: string): InstallRecord | null {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8'));
    return record?.version === 1 ? record : null;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error)) return null;
    throw error;
  }
}

/** Readable by others: a unit is no secret, and the manager of the system may read it as another user. */
function writeWhole(path: string, content: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, content, { mode: 0o644 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unknown';
    throw new CommandError(
      `${path}: expected to write it, got ${code}; --system needs root, and --user your own account`,
      EXIT.permission,
      { cause: error },
    );
  }
}

async function until(path: string): Promise<void> {
  for (let waitedMs = 0; !existsSync(path); waitedMs += LOOK_MS) {
    if (waitedMs >= AWAIT_MS_MAX)
      throw new CommandError(`${path}: expected it to appear, got nothing in 10 s`, EXIT.failure);
    await pause(LOOK_MS);
  }
}

const LOOK_MS = 50;

// The manager of a user is up within a second; a machine under load takes some.
const AWAIT_MS_MAX = 10_000;
