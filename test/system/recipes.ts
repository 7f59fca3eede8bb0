/**
 * docs/recipes.md as tests run it: its own lines, in a home of their own, with a real freshd against a daemon of the test.
 *
 * Rule: what is replaced in a recipe (a host, a port) has to be there, so that a changed recipe is noticed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Arranged, arrange, temporaryDirectory } from '../api/arrange.ts';
import { HOUR_MS, START_MS } from '../api/fake-daemon.ts';

export interface Recipe {
  readonly heading: string;
  readonly language: string;
  /** Among those of its heading and language, from 0. */
  readonly nth: number;
  readonly text: string;
}

/** Every code block of the document. */
export function recipes(): readonly Recipe[] {
  const found: Recipe[] = [];
  let heading = '';
  let open: { language: string; lines: string[] } | null = null;
  for (const line of readFileSync('docs/recipes.md', 'utf8').split('\n')) {
    if (open === null) {
      if (line.startsWith('## ')) heading = line.slice(3);
      else if (line.startsWith('```')) open = { language: line.slice(3), lines: [] };
    } else if (line === '```') {
      const { language } = open;
      const nth = found.filter((other) => other.heading === heading && other.language === language).length;
      found.push({ heading, language, nth, text: `${open.lines.join('\n')}\n` });
      open = null;
    } else open.lines.push(line);
  }
  return found;
}

export function recipe(heading: string, language: string, nth = 0): string {
  const found = recipes().find((one) => one.heading === heading && one.language === language && one.nth === nth);
  if (found === undefined) throw new Error(`docs/recipes.md has no block ${nth} of ${language} under ${heading}`);
  return found.text;
}

/** @throws when there is nothing to replace */
export function adapted(text: string, replacements: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [from, to] of Object.entries(replacements)) {
    if (!result.includes(from)) throw new Error(`expected ${JSON.stringify(from)} in the recipe:\n${text}`);
    result = result.replaceAll(from, to);
  }
  return result;
}

export interface Ran {
  /** Null when the program is not there. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RecipeHome extends Arranged {
  readonly home: string;
  /** Below the home. */
  write(name: string, text: string, mode?: number): string;
  run(argv: readonly string[], options?: { readonly input?: string; readonly env?: NodeJS.ProcessEnv }): Promise<Ran>;
}

/** A home in which `freshd` is on the PATH, and talks to the test's daemon. */
export async function arrangeRecipes(): Promise<RecipeHome> {
  const arranged = await arrange();
  const home = temporaryDirectory();
  const programs = join(home, 'bin');
  mkdirSync(programs);
  symlinkSync(resolve('bin/freshd.js'), join(programs, 'freshd'));
  const PATH = `${programs}:${process.env.PATH}`;
  return {
    ...arranged,
    home,
    write(name, text, mode = 0o600) {
      const path = join(home, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { mode });
      return path;
    },
    run: (argv, { input = '', env = {} } = {}) =>
      run(argv, { input, cwd: home, env: { PATH, HOME: home, FRESHD_SOCKET: arranged.socketPath, ...env } }),
  };
}

async function run(
  [program = '', ...options]: readonly string[],
  { input, cwd, env }: { input: string; cwd: string; env: NodeJS.ProcessEnv },
): Promise<Ran> {
  const child = spawn(program, options, { cwd, env, stdio: 'pipe' });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A program that reads no input may be gone before it is written.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(input);
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { exitCode: exitCode ?? -1, stdout, stderr };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { exitCode: null, stdout, stderr };
    throw error;
  }
}

/**
 * Life of a token that ends in the future of the daemon's clock, which stands at one noon, and of the real one too: some
 * programs throw away what has expired.
 */
export const lifeByBothClocksMs = (): number => Math.max(0, Date.now() - START_MS) + HOUR_MS;

/** Why a test that needs a program is skipped where it is missing. */
export const NOT_INSTALLED = 'is not installed';
