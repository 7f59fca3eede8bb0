/**
 * What is known of each credential format before any file is read: whether it rotates, who owns it, what brings it back.
 *
 * Rule: data only; a setting of the user's own always wins over it.
 */

/** Formats in which a credential can be kept. `static` is a value of the configuration, not a file. */
export const STORE_FORMATS = ['token-response', 'claude-code', 'json', 'env', 'text', 'static'] as const;
export type StoreFormat = (typeof STORE_FORMATS)[number];

/** Limits that suit a store which its own tool refreshes. */
export interface OwnToolLimits {
  readonly refreshMarginMs: number;
  readonly refreshTimeoutMs: number;
  readonly killGraceMs: number;
}

export interface StoreDefaults {
  /** Its refresh tokens are single use, so that a lost answer can cost the grant. */
  readonly rotates: boolean;
  /** freshd can write a token response into it. */
  readonly writable: boolean;
  /** Set when another tool owns the file and refreshes it in its own time. */
  readonly ownTool: OwnToolLimits | null;
  /** What a person does to log in again; null where only the user knows. */
  readonly loginRemedy: string | null;
}

export function storeDefaults(format: StoreFormat): StoreDefaults {
  return DEFAULTS[format];
}

const DEFAULTS: Readonly<Record<StoreFormat, StoreDefaults>> = {
  // Whatever a server serves can be here, and to believe in rotation where there is none only costs a guarded send.
  'token-response': { rotates: true, writable: true, ownTool: null, loginRemedy: null },
  'claude-code': {
    rotates: true,
    // Its two locks have to be held for a write; until they are, only its own tool may change it.
    writable: false,
    ownTool: {
      // It refreshes only in the last five minutes of a token; an earlier run would bring the same token back.
      refreshMarginMs: 270_000,
      // A run answers a prompt, which takes longer than a request.
      refreshTimeoutMs: 120_000,
      // Killed before it has put its lock away, it leaves an orphan that blocks the next run.
      killGraceMs: 15_000,
    },
    loginRemedy: 'claude /login',
  },
  json: { rotates: true, writable: true, ownTool: null, loginRemedy: null },
  // One value and no refresh token: there is nothing that could rotate.
  env: { rotates: false, writable: true, ownTool: null, loginRemedy: null },
  text: { rotates: false, writable: true, ownTool: null, loginRemedy: null },
  static: { rotates: false, writable: false, ownTool: null, loginRemedy: null },
};
