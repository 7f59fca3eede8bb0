/**
 * `freshd check`: is the configuration sound, and is it wise?
 *
 * Rule: runs nothing and asks no daemon; problems end in 78 (71 where the system could not open a file), advice does not.
 */
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { type CommandSpec, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { paint } from '../format.ts';
import { captureOf } from '../socket-place.ts';

export const command: CommandSpec = {
  name: 'check',
  summary: 'check the configuration without running it',
  argument: 'none',
  options: [],
  async run(args, io) {
    const result = await loadConfig({
      path: optionValue(args, 'config'),
      socket: optionValue(args, 'socket'),
      capture: captureOf(io),
    });
    if (!result.ok) {
      for (const problem of result.problems) io.complain(problem);
      return result.kind === 'system' ? EXIT.system : EXIT.configuration;
    }
    const { config, advice } = result;
    io.write(`${config.path}: ${paint('valid', 'good', io.isColourful)}, ${count(config)}\n`);
    for (const { code, message } of advice)
      io.write(`${paint('advice', 'warning', io.isColourful)} ${code}: ${message}\n`);
    return EXIT.ok;
  },
};

function count({ credentials, chains }: Config): string {
  const text = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  return [text(credentials.length, 'credential'), ...(chains.length === 0 ? [] : [text(chains.length, 'chain')])].join(
    ', ',
  );
}
