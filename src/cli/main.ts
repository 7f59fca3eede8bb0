/**
 * The process behind the command line: arguments in, exit code out.
 *
 * Rule: the only file that ends the process or looks at its globals; everything else is given a CommandIo.
 */
import { homedir } from 'node:os';
import type { CommandIo } from './command.ts';
import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit-code.ts';
import { systemNowMs } from './time.ts';

export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', leaveQuietly);
  process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
}

/** `freshd status | head -1` closes the pipe early; that is nobody's mistake, and worth no stack trace. */
function leaveQuietly(error: NodeJS.ErrnoException): never {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.inputOutput);
}

function processIo(): CommandIo {
  const { env, stdout, platform } = process;
  return {
    env,
    home: homedir(),
    cwd: process.cwd(),
    platform,
    uid: process.getuid?.() ?? null,
    isColourful: stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    nowMs: systemNowMs,
    write: (text) => void stdout.write(text),
    complain: (line) => void process.stderr.write(`${line}\n`),
  };
}
