/**
 * The shapes of pushed events, the `data` of `GET /v1/events` by the name of the event.
 *
 * Rule: a part of protocol.ts, by which everybody else knows it; plain data only, and no import at run time.
 */
import type { CredentialBody, TokenBody } from './protocol.ts';

/** `token`: as of a read, but for what changes by the second. Of a chain it comes under the chain's name, too. */
export type TokenEvent = Omit<TokenBody, 'expires_in'>;

/** `phase`: how the credential is; sent when any of it changes. */
export interface PhaseEvent {
  readonly credential: string;
  /** As of `GET /v1/credentials`; `removed` when a reload took it out. */
  readonly phase: string;
  readonly reason: string | null;
  readonly status: CredentialBody['status'];
  readonly refreshable: boolean;
  readonly generation: number | null;
  /** That generation was reported as refused, and the refresh for it is not over: whoever can wait should. */
  readonly rejection_pending: boolean;
  /** The exact command or act that helps; null while nothing is asked of a person. */
  readonly remedy: string | null;
}

/** `chain`: which of its members is in use; sent when any of it changes. */
export interface ChainEvent {
  readonly chain: string;
  /** In use; null: no member is usable. */
  readonly credential: string | null;
  /** `reauthorization_required`: a person must act for every member; `removed`: a reload took it out. */
  readonly status: 'usable' | 'temporarily_unavailable' | 'reauthorization_required' | 'removed';
  /** The chain's own. */
  readonly generation: number | null;
  /** That generation was reported as refused, no other member is better, and the refresh for it is not over. */
  readonly rejection_pending: boolean;
  /** What was in use before, and why it is not any more. */
  readonly instead_of: { readonly credential: string; readonly reason: string; readonly code: string } | null;
  /** What each member lacks that lacks anything. */
  readonly members: readonly {
    readonly credential: string;
    readonly reason: string;
    readonly code: string;
    readonly remedy: string | null;
  }[];
}

/** `alert`: what a person was told. */
export interface AlertEvent {
  /** Or of a chain. */
  readonly credential: string;
  readonly kind: string;
  /** The same for each repeat. */
  readonly id: string;
  readonly at: string;
  readonly code: string | null;
  readonly title: string;
  readonly text: string;
  readonly remedy: string | null;
}

/** `synchronized`: what came before is the present state. */
export interface SynchronizedEvent {
  /** True: only what changed since `Last-Event-ID` was sent. */
  readonly resumed: boolean;
}
