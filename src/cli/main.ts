/**
 * The command line: arguments in, exit code out; the quick way for `token`, `status` and `exec`, commander for everything else.
 *
 * Rule: the only file that ends the process or looks at its globals. The quick way understands only what is entirely
 * regular; help, mistakes and other commands are commander's. Each file it loads costs a millisecond, so they are few.
 */
import { once } from 'node:events';
import { homedir } from 'node:os';
import { parseArgs } from 'node:util';
import {
  type CommandArguments,
  type CommandIo,
  type CommandSpec,
  GLOBAL_OPTIONS,
  perform,
  splitRest,
} from './command.ts';
import { EXIT } from './exit-code.ts';
import { systemNowMs } from './time.ts';

export async function main(): Promise<void> {
  process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
}

/** @returns the exit code; never throws, and never exits */
export async function runCommandLine(argv: readonly string[], io: CommandIo): Promise<number> {
  try {
    const quick = await quickCommand(argv);
    if (quick !== null) return await perform(quick.spec, quick.args, io);
    const { runProgram } = await import('./program.ts');
    return await runProgram(argv, io);
  } catch (error) {
    const remedy = REFUSALS[errnoOf(error)];
    if (remedy !== undefined) {
      io.complain(`freshd: the system refused (${errnoOf(error)}); ${remedy}, and try again`);
      return EXIT.system;
    }
    io.complain(
      `freshd: a bug: ${error instanceof Error ? (error.stack ?? error.message) : 'something was thrown that is no error'}`,
    );
    return EXIT.software;
  }
}

const errnoOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** Met anywhere, also while a command is being loaded; nothing of freshd is wrong then. */
const REFUSALS: Readonly<Record<string, string>> = {
  EMFILE: 'raise the limit of open files (`ulimit -n`, LimitNOFILE= of a service)',
  ENFILE: 'close programs or raise the limit of open files of the machine (fs.file-max)',
  ENOMEM: 'free some memory',
};

/** These are called by scripts, again and again; loading the framework would double their time. */
const QUICK: Readonly<Record<string, () => Promise<{ command: CommandSpec }>>> = {
  token: () => import('./commands/token.ts'),
  status: () => import('./commands/status.ts'),
  exec: () => import('./commands/exec.ts'),
};

async function quickCommand(argv: readonly string[]): Promise<{ spec: CommandSpec; args: CommandArguments } | null> {
  const at = commandIndex(argv);
  const name = argv[at] ?? '';
  const load = Object.hasOwn(QUICK, name) ? QUICK[name] : undefined;
  if (load === undefined) return null;
  const { command: spec } = await load();
  const { own, rest } = splitRest(argv.toSpliced(at, 1), spec);
  const args = parse(own, spec);
  return args === null ? null : { spec, args: { ...args, rest } };
}

/** Position of the first word that is neither a global option nor its value. */
function commandIndex(argv: readonly string[]): number {
  let at = 0;
  for (let word = argv[at]; word?.startsWith('--'); word = argv[at]) at += word.includes('=') ? 1 : 2;
  return at;
}

function parse(args: readonly string[], spec: CommandSpec): Omit<CommandArguments, 'rest'> | null {
  const options = Object.fromEntries(
    [...spec.options, ...GLOBAL_OPTIONS].map(({ name, value, isRepeatable }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: isRepeatable === true },
    ]),
  );
  try {
    const { values, positionals: words } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    });
    const isList = spec.argument === 'many' || spec.argument === 'any';
    const wordsMin = spec.argument === 'optional' || spec.argument === 'any' ? 0 : 1;
    const wordsMax = isList ? Number.POSITIVE_INFINITY : spec.secondArgument === undefined ? 1 : 2;
    const isRegular = words.length >= wordsMin && words.length <= wordsMax;
    return isRegular ? { name: words[0], words, options: values } : null;
  } catch {
    // Commander says what is wrong with it, and how it should be.
    return null;
  }
}

interface Writer {
  readonly write: (text: string) => void;
  readonly drained: () => Promise<unknown> | undefined;
}

/** Looks at a stream only when there is something to write: making one takes milliseconds. */
function writer(stream: () => NodeJS.WriteStream): Writer {
  let opened: NodeJS.WriteStream | null = null;
  return {
    write: (text) => {
      opened ??= stream().on('error', leaveQuietly);
      opened.write(text);
    },
    drained: () => (opened?.writableNeedDrain === true ? once(opened, 'drain') : undefined),
  };
}

/** `freshd status | head -1` closes the pipe early; that is nobody's mistake, and worth no stack trace. */
function leaveQuietly(error: NodeJS.ErrnoException): never {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.inputOutput);
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return lines.question(question).finally(() => lines.close());
}

function processIo(): CommandIo {
  const { env, platform } = process;
  const output = writer(() => process.stdout);
  const errors = writer(() => process.stderr);
  return {
    env,
    home: homedir(),
    cwd: process.cwd(),
    platform,
    uid: process.getuid?.() ?? null,
    get isColourful() {
      return process.stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
    },
    get terminalRows() {
      const { stdout } = process;
      return stdout.isTTY === true && env.TERM !== 'dumb' ? () => stdout.rows : undefined;
    },
    nowMs: systemNowMs,
    input: () => process.stdin,
    ...(process.stdin.isTTY === true ? { ask } : {}),
    onSignal(name, listener) {
      process.on(name, listener);
      return () => process.off(name, listener);
    },
    write: output.write,
    complain: (line) => errors.write(`${line}\n`),
    drained: () => output.drained() ?? errors.drained(),
  };
}
