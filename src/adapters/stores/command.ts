/**
 * The output of a command as a store: `gh auth token`, `gcloud auth print-access-token`. The command keeps the grant.
 *
 * Rule: each look runs it, and nothing it prints is repeated but the token itself.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { EpochMs } from '../../core/token.ts';
import { PortError, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { outputOf, type ProgramOptions } from './program-output.ts';
import { type LifeOptions, readStored } from './store-codec.ts';

export interface CommandStoreOptions extends LifeOptions, ProgramOptions {
  /** Wall clock: dates a token that does not say when it was issued. */
  readonly now: () => EpochMs;
}

/** Each read runs the command, so `readIfChanged` costs a run too. */
export function createCommandStore(options: CommandStoreOptions): StorePort {
  let seen: { readonly digest: string; readonly at: EpochMs } | null = null;
  let hadFailed = false;

  async function read(): Promise<{ readonly reading: StoreReading; readonly isNew: boolean }> {
    const run = await outputOf(options);
    if (run.kind === 'failed') {
      hadFailed = true;
      return { reading: brokenBy(options, run.seen), isNew: true };
    }
    const digest = createHash('sha256').update(run.output).digest('base64');
    // After a failure the same token is news too.
    const isNew = seen?.digest !== digest || hadFailed;
    hadFailed = false;
    // The same token is as old as when it was first seen, not as young as this run.
    const at = seen?.digest === digest ? seen.at : options.now();
    seen = { digest, at };
    return { reading: readStored({ access_token: run.output.trim() }, at, options), isNew };
  }

  return {
    path: null,
    read: async () => (await read()).reading,
    readIfChanged: async () => {
      const { reading, isNew } = await read();
      return isNew ? reading : { kind: 'unchanged' };
    },
    write: async () => {
      const remedy = 'let the command renew its own grant, or keep the credential in a file';
      throw new PortError(`did not write: the output of a command cannot be written; ${remedy}`, {
        code: 'store_read_only',
        remedy,
      });
    },
    // Nothing is shared that a lock could guard: the command guards its own files.
    lock: async () => async () => undefined,
  };
}

/** Arguments may hold what the user would not see in a log; the program's name is enough to find it. */
function brokenBy({ argv }: CommandStoreOptions, seen: string): StoreReading {
  const name = basename(argv[0]);
  return { kind: 'broken', detail: `expected a token from the command ${name}, got ${seen}; run it by hand` };
}
