/**
 * One credential as the shell manages it: its limits, its parts, and how what it holds is read and compared.
 */
import type { Event } from '../core/event.ts';
import type { Policy } from '../core/policy.ts';
import type { Fingerprint, Fingerprinter, Grant, TokenSet } from '../core/token.ts';
import { type ExpiresRule, grantOf } from '../core/token-response.ts';
import type { CredentialParts, StoreReading } from './ports.ts';

export interface ManagedCredential {
  readonly name: string;
  readonly policy: Policy;
  readonly parts: CredentialParts;
  /** How the answers of its refresh are read. */
  readonly reading: { readonly expiresInDefaultMs: number; readonly expires: ExpiresRule };
}

/** What a store holds, in the terms of the core. */
export type StoreFinding =
  | { readonly kind: 'grant'; readonly grant: Grant; readonly tokens: TokenSet }
  | { readonly kind: 'missing'; readonly detail: string }
  | { readonly kind: 'broken'; readonly reason: 'state_broken' | 'store_blanked'; readonly detail: string };

export function findingOf(reading: StoreReading, fingerprint: Fingerprinter): StoreFinding {
  switch (reading.kind) {
    case 'tokens': {
      const grant = grantOf(reading.tokens, fingerprint);
      return grant === null
        ? { kind: 'missing', detail: 'the store holds neither an access token nor a refresh token' }
        : { kind: 'grant', grant, tokens: reading.tokens };
    }
    case 'missing':
      return { kind: 'missing', detail: reading.detail };
    case 'blanked':
      return { kind: 'broken', reason: 'store_blanked', detail: reading.detail };
    case 'broken':
      return { kind: 'broken', reason: 'state_broken', detail: reading.detail };
  }
}

/** The event that tells the core of something other than a grant. */
export function lossOf(finding: Exclude<StoreFinding, { kind: 'grant' }>, attempt: number | null) {
  return finding.kind === 'missing'
    ? ({ type: 'token_missing', detail: finding.detail, attempt } as const)
    : ({ type: 'state_broken', reason: finding.reason, detail: finding.detail, attempt } as const);
}

/** Gone, or blanked by its tool; what cannot be understood may hold anything. */
export const isEmpty = (finding: StoreFinding): boolean =>
  finding.kind === 'missing' || (finding.kind === 'broken' && finding.reason === 'store_blanked');

/** Two grants are the same when both what is sent to refresh and what is served are. */
export function identityOf(grant: Grant): string {
  const access: Fingerprint | 'none' = grant.token?.fingerprint ?? 'none';
  return `${grant.fingerprint} ${access}`;
}

/** Says what the store holds; a later one is worth more than an earlier one. */
export const isReading = ({ type }: Event): boolean =>
  type === 'token_loaded' || type === 'store_changed' || type === 'token_missing' || type === 'state_broken';
