/**
 * The completion scripts of bash, zsh and fish, made from the commands as data.
 *
 * Rule: text in, text out. A word that a script offers stands in a `CommandSpec`, or is the name of a credential or
 * chain, for which the script asks `freshd completion names` at the moment somebody presses the key.
 */
import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** @returns a script for the shell's folder of completions, or to be sourced */
export function completionScript(shell: Shell, commands: readonly CommandSpec[]): string {
  return SCRIPTS[shell](commands);
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CommandSpec[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

function bashScript(commands: readonly CommandSpec[]): string {
  const words = (specs: readonly OptionSpec[]) => specs.map(({ name }) => `--${name}`).join(' ');
  const values = new Map(
    commands
      .flatMap(optionsOf)
      .filter(takesValue)
      .map((option) => [option.name, option]),
  );
  return `# bash completion for freshd
_freshd() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= at
  COMPREPLY=()
  case $previous in
${[...values.values()].map((option) => `    --${option.name}) ${bashWords(option)}; return ;;`).join('\n')}
  esac
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
      --config | --socket) ((at++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[at]}; break ;;
    esac
  done
  for ((at = at + 1; at < COMP_CWORD; at++)); do
    if [ "\${COMP_WORDS[at]}" = -- ]; then
      if declare -F _command_offset >/dev/null; then _command_offset $((at + 1)); else mapfile -t COMPREPLY < <(compgen -c -- "$word"); fi
      return
    fi
  done
  local options='${words(GLOBAL_OPTIONS)} --help' names=
  case $command in
    '') names='${commands.map(({ name }) => name).join(' ')}'; options="$options --version" ;;
${commands.map((spec) => `    ${spec.name}) ${bashArgument(spec)}options="${words(spec.options)} $options" ;;`).join('\n')}
  esac
  case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word") ;;
  esac
}
complete -F _freshd freshd
`;
}

/** Without choices, a value is most often a path; offering files for another kind does no harm. */
const bashWords = ({ choices }: OptionSpec): string =>
  `mapfile -t COMPREPLY < <(compgen ${choices === undefined ? '-f' : `-W '${choices.join(' ')}'`} -- "$word")`;

function bashArgument(spec: CommandSpec): string {
  if (spec.argumentChoices !== undefined) return `names='${spec.argumentChoices.join(' ')}'; `;
  return takesName(spec) ? 'names=$(freshd completion names 2>/dev/null); ' : '';
}

function zshScript(commands: readonly CommandSpec[]): string {
  return `#compdef freshd
# zsh completion for freshd

_freshd_names() {
  local -a names
  names=(\${(f)"$(freshd completion names 2>/dev/null)"})
  compadd -a names
}

_freshd() {
  local curcontext=$curcontext state line
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  _arguments -C '(- *)'{-h,--help}'[help]' '(- *)'{-V,--version}'[version]' ${GLOBAL_OPTIONS.map(zshOption).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $words[1] in
${commands.map((spec) => `        ${spec.name}) _arguments ${[...optionsOf(spec).map(zshOption), ...zshArgument(spec)].join(' ')} ;;`).join('\n')}
      esac
      ;;
  esac
}

# Sourced, it registers itself; from a folder in fpath, compinit does, and calls it.
if [ "\${funcstack[1]}" = _freshd ]; then _freshd "$@"; else compdef _freshd freshd; fi
`;
}

function zshOption({ name, value, isRepeatable, choices, summary }: OptionSpec): string {
  const text = summary.replaceAll(/[[\]\\]/g, '\\$&');
  const kind = choices === undefined ? '_files' : `(${choices.join(' ')})`;
  return quoted(`${isRepeatable ? '*' : ''}--${name}[${text}]${value === undefined ? '' : `:${value}:${kind}`}`);
}

function zshArgument(spec: CommandSpec): readonly string[] {
  const program = spec.rest === undefined ? [] : [quoted('*:: :_normal')];
  if (spec.argumentChoices !== undefined)
    return [quoted(`${spec.argument === 'any' ? '*' : '1'}:${spec.argumentName}:(${spec.argumentChoices.join(' ')})`)];
  return takesName(spec) ? [quoted(`${spec.argument === 'many' ? '*' : '1'}:NAME:_freshd_names`)] : program;
}

function fishScript(commands: readonly CommandSpec[]): string {
  // Not `__fish_use_subcommand`: the value of --config would pass for a command.
  const none = `not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}`;
  const lines = commands.flatMap((spec) => {
    const here = `complete -c freshd -n '__fish_seen_subcommand_from ${spec.name}'`;
    return [
      `complete -c freshd -n '${none}' -a ${spec.name} -d ${fishQuoted(spec.summary)}`,
      ...fishArgument(spec).map((words) => `${here} -a ${fishQuoted(words)}`),
      ...spec.options.map((option) => `${here} ${fishOption(option)}`),
    ];
  });
  return `# fish completion for freshd
complete -c freshd -f
${GLOBAL_OPTIONS.map((option) => `complete -c freshd ${fishOption(option)}`).join('\n')}
${lines.join('\n')}
`;
}

function fishOption({ name, value, choices, summary }: OptionSpec): string {
  const values = choices === undefined ? '-r -F' : `-x -a ${fishQuoted(choices.join(' '))}`;
  return `-l ${name}${value === undefined ? '' : ` ${values}`} -d ${fishQuoted(summary)}`;
}

function fishArgument(spec: CommandSpec): readonly string[] {
  if (spec.argumentChoices !== undefined) return [spec.argumentChoices.join(' ')];
  return takesName(spec) ? ['(freshd completion names 2>/dev/null)'] : [];
}

const optionsOf = (spec: CommandSpec): readonly OptionSpec[] => [...spec.options, ...GLOBAL_OPTIONS];
const takesValue = ({ value }: OptionSpec): boolean => value !== undefined;
const takesName = ({ argument, argumentName }: CommandSpec): boolean =>
  argument !== 'none' && argumentName === undefined;

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const fishQuoted = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
