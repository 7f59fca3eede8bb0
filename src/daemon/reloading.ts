/**
 * A new configuration on its way into the running daemon: read and built, not applied yet.
 *
 * Rule: data only; all or nothing, so whatever is wrong with it is known before anything of it counts.
 */
import type { ReloadPlan } from '../config/reload.ts';
import type { AlertKind } from '../core/policy.ts';
import type { ManagedChain } from './chains.ts';
import type { ManagedCredential } from './credential.ts';
import type { AlertSink } from './ports.ts';

/** `secrets`: the text of the configuration stays the one in force, whatever its file says by now. */
export type ReloadSource = 'file' | 'secrets';

/** What can change while the daemon runs, beside the credentials. */
export interface Settings {
  readonly sinks: readonly AlertSink[];
  /** Kinds that are switched on. */
  readonly alertKinds: readonly AlertKind[];
  readonly maxConcurrentRefreshes: number;
}

/** A new configuration, read and built completely before anything of it is applied. */
export type Reloading =
  | { readonly ok: false; readonly problems: readonly string[] }
  | {
      readonly ok: true;
      readonly added: readonly ManagedCredential[];
      /** With new parts, or with the old ones and a new policy. */
      readonly changed: readonly ManagedCredential[];
      readonly removed: readonly string[];
      /** All of them, and the names of those that differ; absent: there are none. */
      readonly chains?: ReloadPlan['chains'] & { readonly all: readonly ManagedChain[] };
      readonly settings: Settings;
      /** Called once it is in force. */
      readonly applied: () => void;
    };
