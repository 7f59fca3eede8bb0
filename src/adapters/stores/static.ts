/**
 * A value of the configuration as a store: an API key, which nobody refreshes and nobody writes.
 */
import { epochMs } from '../../core/token.ts';
import { PortError, type StorePort, type StoreReading } from '../../daemon/ports.ts';
import { readStored } from './store-codec.ts';

/** @param options `value` is the secret itself, as it was captured at start */
export function createStaticStore({ value }: { readonly value: string }): StorePort {
  const life = { expires: { kind: 'never' }, expiresInDefaultMs: 0 } as const;
  const reading: StoreReading = readStored({ access_token: value.trim() }, epochMs(0), life);
  let wasRead = false;
  return {
    path: null,
    read: async () => {
      wasRead = true;
      return reading;
    },
    readIfChanged: async () => {
      if (wasRead) return { kind: 'unchanged' };
      wasRead = true;
      return reading;
    },
    write: async () => {
      const remedy = 'change the variable or file that the configuration names, and restart freshd';
      throw new PortError(`did not write: a static value is never written; ${remedy}`, {
        code: 'store_read_only',
        remedy,
      });
    },
    // Nothing to exclude anybody from.
    lock: async () => async () => undefined,
  };
}
