/**
 * The shapes of chains on the wire.
 *
 * Rule: a part of protocol.ts, by which everybody else knows it; plain data only, and no import at run time.
 */
import type { CredentialBody, CredentialDetailBody } from './protocol.ts';

export interface ChainBody {
  readonly chain: string;
  /** In use; null: no member is usable. */
  readonly credential: string | null;
  /** The chain's own; null: it never had a token. */
  readonly generation: number | null;
  /** How long it has been so. */
  readonly since: string | null;
  /** What was in use before, and why it is not any more; null: nothing was, or a preferred one came back. */
  readonly instead_of: { readonly credential: string; readonly reason: string; readonly code: string } | null;
  readonly optional: boolean;
  /** Most preferred first. */
  readonly members: readonly {
    readonly credential: string;
    /** `doubtful`: reported as rejected; used only while no other is usable. */
    readonly standing: 'usable' | 'ending' | 'doubtful' | 'unusable' | 'absent';
    readonly reason: string | null;
    readonly code: string | null;
    /** What brings it back; null where nothing is asked of a person. */
    readonly remedy: string | null;
    /** Usable again, and in use after so long if it stays so. */
    readonly settles_in_seconds: number | null;
  }[];
  readonly publications: CredentialBody['publications'];
  /** As of a credential: who reads by the chain's name. */
  readonly consumers: CredentialBody['consumers'];
  /** Code of a bug that keeps the daemon from tending this chain; null: none. */
  readonly fault: string | null;
}

/** `GET /v1/credentials/{name}` with the name of a chain. */
export interface ChainDetailBody extends ChainBody {
  readonly explanation: readonly string[];
  readonly consumers: CredentialDetailBody['consumers'];
}

/** What one member lacks, where no member of a chain is usable. */
export interface MemberLackBody {
  readonly credential: string;
  readonly reason: string;
  readonly code: string;
  /** What brings it back; null where nothing is asked of a person. */
  readonly remedy: string | null;
  readonly retry_after: number | null;
}
