/**
 * What `freshd init` can set up: for each tool's login the credential that suits it.
 *
 * Rule: data only. A tool that can be made to refresh its own login is; the others are followed, which never does harm.
 */
import type { RawCredential } from '../../config/schema.ts';

export type InitFormat = keyof typeof RECIPES;

interface Recipe {
  /** What the credential is called. */
  readonly name: string;
  /** In `scripts/`; null: the login is only watched, and published. */
  readonly script: string | null;
  /** What to do beyond this, where only the user knows enough. */
  readonly more: string | null;
}

const WATCHED =
  'it is only watched and published (refresh.follow); docs/recipes.md says how to have it refreshed, with refresh.oauth or a script of yours';

const RECIPES = {
  'claude-code': { name: 'claude', script: 'refresh-claude.sh', more: null },
  codex: { name: 'codex', script: 'refresh-codex.sh', more: null },
  gemini: { name: 'gemini', script: 'refresh-gemini.sh', more: null },
  opencode: { name: 'opencode', script: null, more: WATCHED },
  openclaw: { name: 'openclaw', script: null, more: WATCHED },
  hermes: { name: 'hermes', script: null, more: WATCHED },
  grok: { name: 'grok', script: null, more: WATCHED },
  'google-adc': { name: 'google', script: null, more: WATCHED },
} as const satisfies Readonly<Record<string, Recipe>>;

export const INIT_FORMATS = Object.keys(RECIPES) as readonly InitFormat[];

export const recipeOf = (format: InitFormat): Recipe => RECIPES[format];

/** @param scripts the folder of the shipped scripts, as it is to stand in the configuration */
export function credentialOf(format: InitFormat, scripts: string): RawCredential {
  const { script } = recipeOf(format);
  const refresh =
    script === null
      ? ({ follow: true } as const)
      : ({ command: [`${scripts}/${script}`], result: 'store' } satisfies RawCredential['refresh']);
  return { store: { format }, refresh };
}
