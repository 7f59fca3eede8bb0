/**
 * The login of Claude Code in the Keychain of macOS, read by its `security` command.
 *
 * Rule: read only. `security` takes a new secret as an argument, which every process of the machine can read.
 */
import { createHash } from 'node:crypto';
import type { EpochMs } from '../../core/token.ts';
import { PortError, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { createClaudeCodeCodec } from './claude-code.ts';
import { outputOf, type ProgramOptions } from './program-output.ts';
import type { LifeOptions } from './store-codec.ts';

export interface KeychainStoreOptions extends LifeOptions, Omit<ProgramOptions, 'argv'> {
  /** Wall clock: dates what does not say when it was issued. */
  readonly now: () => EpochMs;
}

export function createKeychainStore(options: KeychainStoreOptions): StorePort {
  const codec = createClaudeCodeCodec(options);
  let seen: string | null = null;

  async function look(): Promise<{ readonly reading: StoreReading; readonly isNew: boolean }> {
    const run = await outputOf({ ...options, argv: ['security', 'find-generic-password', '-s', SERVICE, '-w'] });
    if (run.kind === 'failed') {
      seen = null;
      return { reading: troubleOf(run.exitCode, run.seen), isNew: true };
    }
    const text = plainText(run.output.trim());
    const digest = createHash('sha256').update(text).digest('base64');
    const isNew = seen !== digest;
    seen = digest;
    const reading = codec.read(text, options.now());
    return {
      reading: reading.kind === 'tokens' ? reading : { ...reading, detail: `${ITEM}: ${reading.detail}` },
      isNew,
    };
  }

  return {
    path: null,
    read: async () => (await look()).reading,
    readIfChanged: async () => {
      const { reading, isNew } = await look();
      return isNew ? reading : { kind: 'unchanged' };
    },
    write: async () => {
      const remedy = 'let the tool refresh itself: a refresh script with "result": "store", or "follow": true';
      throw new PortError(`did not write: ${ITEM} is only read; ${remedy}`, { code: 'store_read_only', remedy });
    },
    // Nothing of ours is written that a lock could guard.
    lock: async () => async () => undefined,
  };
}

function troubleOf(exitCode: number | null, seen: string): StoreReading {
  if (exitCode === ITEM_NOT_FOUND) {
    const remedy = 'log in with `claude /login`, or name the file with "path" if it keeps one';
    return { kind: 'missing', detail: `the Keychain has no item "${SERVICE}"; ${remedy}` };
  }
  const remedy = 'unlock the Keychain, and allow `security` to read that item';
  return { kind: 'broken', detail: `expected ${ITEM} from the command security, got ${seen}; ${remedy}` };
}

/** What has a line end or more than ASCII in it is printed as hexadecimal digits. */
function plainText(output: string): string {
  const digits = /^(?:0x)?((?:[0-9a-f]{2})+)$/i.exec(output)?.[1];
  return digits === undefined ? output : Buffer.from(digits, 'hex').toString('utf8');
}

const SERVICE = 'Claude Code-credentials';
const ITEM = `the Keychain item "${SERVICE}"`;

// errSecItemNotFound (-25300) as an exit status.
const ITEM_NOT_FOUND = 44;
