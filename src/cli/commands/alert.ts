/**
 * `freshd alert test [SINK]`: does an alert arrive? Better asked by day than found out at night.
 *
 * Rule: needs no daemon; loads what sends only here. Sinks are shown by type and host, never by their address.
 */
import { CommandError, type CommandSpec } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { paint } from '../format.ts';
import { complainOf, loadNamedConfig } from '../named-config.ts';

export const command: CommandSpec = {
  name: 'alert',
  summary: 'alert test: send a test message through each alert sink, or through SINK (its type or name)',
  argument: 'required',
  argumentName: 'test',
  argumentChoices: ['test'],
  secondArgument: 'SINK',
  options: [],
  async run(args, io) {
    if (args.name !== 'test') {
      throw new CommandError(`expected alert test, got alert ${JSON.stringify(args.name)}`, EXIT.usage);
    }
    const loaded = await loadNamedConfig(args, io);
    if (!loaded.ok) return complainOf(loaded, io);
    const { config } = loaded;
    const { testAlerts } = await import('../../daemon/alert-test.ts');
    const { env: environment, platform } = io;
    const log = { write: (_level: string, event: string) => io.write(`log: ${event}\n`) };
    const wanted = args.words[1] ?? null;
    const results = await testAlerts({ config, wanted, environment, platform, log });
    if (results.length === 0) throw noSink(wanted);
    for (const { sink, refusal } of results) {
      if (refusal === null) io.write(`${sink}: ${paint('accepted', 'good', io.isColourful)}\n`);
      else io.complain(`freshd: ${refusal.message}; ${refusal.remedy}`);
    }
    return results.some(({ refusal }) => refusal !== null) ? EXIT.failure : EXIT.ok;
  },
};

function noSink(wanted: string | null): CommandError {
  const message =
    wanted === null
      ? 'alerts.sinks: expected at least one, got none; add { "type": "log" } or one that reaches you'
      : `${wanted}: expected the type or name of a sink in alerts.sinks, got another`;
  return new CommandError(message, EXIT.configuration);
}
