/**
 * Stands in for `adapters/kernel-lock-kinds.ts`: the lock of the simulated kernel, freed when its process ends.
 */
import type { KernelLockOptions } from '../../../src/adapters/kernel-lock-kinds.ts';
import { PortError } from '../../../src/daemon/ports.ts';
import type { Realm } from '../realm.ts';
import { setTimeout as wait } from './timers-promises.ts';

declare const realm: Realm;

export async function lockByFlock(
  descriptor: number,
  path: string,
  { timeoutMs }: KernelLockOptions,
): Promise<boolean> {
  for (let waitedMs = 0; !realm.flock(descriptor); waitedMs += POLL_MS) {
    if (waitedMs >= timeoutMs) throw new PortError(`${path} is locked`, { code: 'lock_held', remedy: 'wait' });
    await wait(POLL_MS);
  }
  return true;
}

export function lockByAbstractSocket(): never {
  throw new Error('the simulated kernel has flock');
}

export function openExclusively(): never {
  throw new Error('the simulated kernel has flock');
}

const POLL_MS = 50;
