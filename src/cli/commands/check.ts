/**
 * `freshd check`: is the configuration sound, and is it wise?
 *
 * Rule: runs nothing and asks no daemon; problems end in 78 (71 where the system could not open a file), advice does not.
 */
import type { Config } from '../../config/config.ts';
import type { CommandSpec } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { paint } from '../format.ts';
import { complainOf, loadNamedConfig } from '../named-config.ts';

export const command: CommandSpec = {
  name: 'check',
  summary: 'check the configuration without running it',
  argument: 'none',
  options: [],
  async run(args, io) {
    const result = await loadNamedConfig(args, io);
    if (!result.ok) return complainOf(result, io);
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
