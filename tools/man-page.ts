/**
 * The manual page freshd(1), made from the commands as data and the table of exit codes.
 *
 * Rule: what a command or option does is said where it is defined; here is only the page around it.
 */
import { readFileSync } from 'node:fs';
import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from '../src/cli/command.ts';
import { COMMANDS } from '../src/cli/program.ts';

/** @returns troff with the man macros, see man(7) */
export function manPage(): string {
  const { version, description } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, string>;
  return `.TH FRESHD 1 "" "freshd ${text(version ?? '')}" "User Commands"
.SH NAME
freshd \\- ${text(description ?? '').replace(/^A daemon that keeps/, 'keeps')}
.SH SYNOPSIS
.B freshd
.I COMMAND
[\\fIOPTION\\fR...] [\\fINAME\\fR]
.SH COMMANDS
${COMMANDS.map(commandEntry).join('')}.SH OPTIONS OF EVERY COMMAND
${GLOBAL_OPTIONS.map(optionEntry).join('')}.SH EXIT STATUS
As in sysexits.h where it has a number for it.
${exitCodes().join('')}.SH FILES
${FILES.map(([path, meaning]) => `.TP\n.I ${text(path)}\n${text(meaning)}\n`).join('')}.SH SEE ALSO
.BR systemd.service (5),
.BR curl (1)
`;
}

function commandEntry(spec: CommandSpec): string {
  const { argument, argumentName = 'NAME', secondArgument, rest } = spec;
  const own = {
    required: ` ${argumentName}`,
    optional: ` [${argumentName}]`,
    many: ` ${argumentName}...`,
    any: ` [${argumentName}...]`,
    none: '',
  };
  const second = secondArgument === undefined ? '' : ` [${secondArgument}]`;
  const words = `${own[argument]}${second}${rest === undefined ? '' : ` -- ${rest}`}`;
  const options = spec.options.length === 0 ? '' : `.RS\n${spec.options.map(optionEntry).join('')}.RE\n`;
  return `.TP\n\\fB${text(spec.name)}\\fR\\fI${text(words)}\\fR\n${text(spec.summary)}\n${options}`;
}

function optionEntry({ name, value, summary }: OptionSpec): string {
  return `.TP\n\\fB\\-\\-${text(name)}\\fR${value === undefined ? '' : ` \\fI${text(value)}\\fR`}\n${text(summary)}\n`;
}

/** From the comments above them: the table is documented once, where it stands. */
function exitCodes(): string[] {
  const source = readFileSync('src/cli/exit-code.ts', 'utf8');
  const rows = source.matchAll(/(?:\/\*\* (?<meaning>[^\n]+) \*\/\s+)?(?<name>\w+): (?<code>\d+),/g);
  return [...rows].map(({ groups }) => {
    const meaning = groups?.meaning ?? 'It went well.';
    return `.TP\n.B ${groups?.code}\n${text(meaning.replaceAll('`', ''))}\n`;
  });
}

/** A backslash, a dash, and a dot or quote at the start of a line mean something to troff. */
const text = (words: string): string =>
  words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ['~/.config/freshd/config.json', 'The configuration of a user.'],
  ['/etc/freshd/config.json', 'The configuration of the machine, where the user has none.'],
  ['~/.local/state/freshd', "The daemon's own state, for a user; /var/lib/freshd for root and the system service."],
  ['$XDG_RUNTIME_DIR/freshd', 'Sockets, token files, and a file for each credential that is down.'],
];
