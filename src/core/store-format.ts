/**
 * What is known of each credential format before any file is read: whether it rotates, who owns it, what brings it back.
 *
 * Rule: data only; a setting of the user's own always wins over it.
 */

/** Formats in which a credential can be kept. `command` is what a program prints, `static` a value of the configuration. */
export const STORE_FORMATS = [
  'token-response',
  'claude-code',
  'codex',
  'gemini',
  'opencode',
  'openclaw',
  'hermes',
  'grok',
  'google-adc',
  'json',
  'env',
  'text',
  'command',
  'static',
] as const;
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
  /** freshd may make the first one; a tool's own file begins with a login of that tool, which puts more into it than tokens. */
  readonly creatable: boolean;
  /** Set when another tool owns the file and refreshes it in its own time. */
  readonly ownTool: OwnToolLimits | null;
  /** What a person does to log in again; null where only the user knows. */
  readonly loginRemedy: string | null;
}

export function storeDefaults(format: StoreFormat): StoreDefaults {
  return DEFAULTS[format];
}

const OWN_TOOL: OwnToolLimits = {
  // Such tools refresh only in the last five minutes of a token; an earlier run would bring the same token back.
  refreshMarginMs: 270_000,
  // A run answers a prompt, which takes longer than a request.
  refreshTimeoutMs: 120_000,
  // Killed before it has put its lock away, a tool leaves an orphan that blocks the next run.
  killGraceMs: 15_000,
};

/** Files of tools that keep the grants of several providers, and files that only a tool's login can begin. */
const OF_A_TOOL = { rotates: true, writable: true, creatable: false, ownTool: null, loginRemedy: null } as const;
const OF_FRESHD = { rotates: true, writable: true, creatable: true, ownTool: null, loginRemedy: null } as const;

const DEFAULTS: Readonly<Record<StoreFormat, StoreDefaults>> = {
  // Whatever a server serves can be here, and to believe in rotation where there is none only costs a guarded send.
  'token-response': OF_FRESHD,
  'claude-code': { ...OF_A_TOOL, ownTool: OWN_TOOL, loginRemedy: 'claude /login' },
  codex: { ...OF_A_TOOL, ownTool: OWN_TOOL, loginRemedy: 'codex login' },
  gemini: { ...OF_A_TOOL, rotates: false, ownTool: OWN_TOOL, loginRemedy: 'gemini, and in it /auth' },
  // These three know many providers, of which some rotate.
  opencode: { ...OF_A_TOOL, loginRemedy: 'opencode auth login' },
  openclaw: OF_A_TOOL,
  hermes: OF_A_TOOL,
  grok: { ...OF_A_TOOL, ownTool: OWN_TOOL, loginRemedy: 'grok login' },
  'google-adc': { ...OF_A_TOOL, rotates: false, loginRemedy: 'gcloud auth application-default login' },
  json: OF_FRESHD,
  // One value and no refresh token: there is nothing that could rotate.
  env: { ...OF_FRESHD, rotates: false },
  text: { ...OF_FRESHD, rotates: false },
  // The program behind it keeps the grant.
  command: { ...OF_A_TOOL, rotates: false, writable: false },
  static: { ...OF_A_TOOL, rotates: false, writable: false },
};
