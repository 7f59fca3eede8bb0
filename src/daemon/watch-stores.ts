/**
 * Watches the stores, so that a change is looked at as soon as it is there and not only at the next regular check.
 *
 * Rule: a watch brings no news, only a look. What changes while an attempt has the store in hand is looked at when it is over.
 */
import type { CredentialState } from '../core/state.ts';
import type { ManagedCredential } from './credential.ts';
import type { StorePort } from './ports.ts';

export interface StoreWatches {
  /** Watches what this credential is kept in from now on. */
  set(credential: ManagedCredential): void;
  /** To be told after each step, and with that when an attempt is over. */
  stepped(credential: string, after: CredentialState): void;
  drop(credential: string): void;
  close(): void;
}

export interface StoreWatchesOptions {
  readonly state: (credential: string) => CredentialState | undefined;
  /** Performs a store check. */
  readonly reread: (credential: string) => void;
}

export function createStoreWatches({ state, reread }: StoreWatchesOptions): StoreWatches {
  const watched = new Map<string, { readonly store: StorePort; readonly stop: () => void }>();
  /** Changed before it was loaded, or during an attempt. */
  const unseen = new Set<string>();

  const notice = (name: string): void => {
    const now = state(name);
    if (now === undefined || now.phase.kind === 'refreshing') unseen.add(name);
    else reread(name);
  };
  const drop = (name: string): void => {
    watched.get(name)?.stop();
    watched.delete(name);
    unseen.delete(name);
  };

  return {
    drop,
    set: ({ name, parts: { store } }) => {
      if (watched.get(name)?.store === store) return;
      drop(name);
      const stop = store.watch?.(() => notice(name));
      if (stop !== undefined) watched.set(name, { store, stop });
    },
    stepped: (name, { phase }) => {
      if (phase.kind !== 'refreshing' && unseen.delete(name)) reread(name);
    },
    close: () => {
      for (const name of [...watched.keys()]) drop(name);
    },
  };
}
