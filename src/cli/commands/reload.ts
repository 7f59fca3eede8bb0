/**
 * `freshd reload`: the daemon loads its configuration again, all of it or nothing.
 *
 * Rule: says what changed; a configuration with problems ends in 78 and changes nothing.
 */
import { PATHS, type ReloadBody } from '../../api/protocol.ts';
import { call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { EXIT } from '../exit-code.ts';

export const command: CommandSpec = {
  name: 'reload',
  summary: 'let the daemon load its configuration again',
  argument: 'none',
  options: [],
  async run(args, io) {
    const body = await call<ReloadBody>({ method: 'POST', path: PATHS.reload, waitMs: RELOAD_MS_MAX }, args, io);
    const changes = (['added', 'changed', 'removed'] as const).filter((kind) => body[kind].length > 0);
    const lines = changes.map((kind) => `${kind}: ${body[kind].join(', ')}\n`);
    io.write(lines.length === 0 ? 'nothing changed\n' : lines.join(''));
    return EXIT.ok;
  },
};

/** Stores of ten thousand credentials may have to be read. */
const RELOAD_MS_MAX = 60_000;
