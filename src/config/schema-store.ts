/**
 * The part of the schema that says where a credential lies: one object for each format.
 *
 * Rule: shapes and bounds only; paths that are left out are filled in by resolve-store.ts.
 */
import type * as z from 'zod';
import { argv, choice, object, oneOf, path, text } from './schema-kit.ts';

export const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const variable = (doc: string): z.ZodString =>
  text({ expected: 'a variable name of letters, digits and _', pattern: VARIABLE, doc });

const pointer = (doc: string): z.ZodString =>
  text({ expected: 'a JSON pointer such as "/tokens/access_token"', pattern: /^\/(?:[^~]|~[01])*$/, doc });

const storePath = (): z.ZodString => path({ doc: 'The file.' });
const format = <const F extends string>(name: F, doc: string) => choice([name], { doc });

/** A tool's file in its usual place. */
const ofTool = <const F extends string>(name: F, about: { login: string; fallback: string; doc: string }) =>
  object(
    { format: format(name, about.login), path: path({ doc: 'The file.', fallback: about.fallback }).optional() },
    { doc: about.doc },
  );

const pointers = object(
  {
    accessToken: pointer('The access token.'),
    refreshToken: pointer('The refresh token.').optional(),
    tokenType: pointer('The token type; `Bearer` where there is none.').optional(),
    expiresAt: pointer('When it expires: seconds or milliseconds since 1970, or ISO 8601.').optional(),
    expiresIn: pointer(
      'Its life in seconds, counted from `obtainedAt` or else the time the file was written.',
    ).optional(),
    obtainedAt: pointer('When it was obtained.').optional(),
    refreshTokenExpiresAt: pointer('When the refresh token expires.').optional(),
    account: pointer('Whose grant it is; a store that suddenly belongs to another account is not adopted.').optional(),
  },
  { doc: 'Where the values stand, as JSON pointers (RFC 6901).' },
);

const claudeCode = ofTool('claude-code', {
  login: 'The login of Claude Code.',
  fallback:
    '`~/.claude/.credentials.json`, or `.credentials.json` in `$CLAUDE_CONFIG_DIR`; on macOS the Keychain, which is only read',
  doc: "The login of Claude Code, which its own program refreshes. freshd writes the file only while it holds the tool's two locks.",
});

const codex = ofTool('codex', {
  login: 'The login of Codex.',
  fallback: '`~/.codex/auth.json`, or `auth.json` in `$CODEX_HOME`',
  doc: 'The login of Codex, which its own program refreshes. Another `account_id` in the file is not adopted.',
});

const gemini = ofTool('gemini', {
  login: 'The login of the Gemini CLI.',
  fallback: '`~/.gemini/oauth_creds.json`, or `.gemini/oauth_creds.json` in `$GEMINI_CLI_HOME`',
  doc: 'The login of the Gemini CLI by Google account, which its own program refreshes.',
});

const opencode = ofTool('opencode', {
  login: 'A login of OpenCode.',
  fallback: '`opencode/auth.json` in `$XDG_DATA_HOME` or `~/.local/share`',
  doc: "One provider's login in OpenCode; `entry` names the provider where there are several.",
});

const openclaw = ofTool('openclaw', {
  login: 'A login of an OpenClaw agent.',
  fallback: '`agents/<agent>/agent/auth-profiles.json` in `$OPENCLAW_STATE_DIR` or `~/.openclaw`',
  doc: 'One profile of an OpenClaw agent. `entry` is `<agent>/<profile>`, or the profile alone for the agent `main`, or where `path` names the file.',
});

const hermes = ofTool('hermes', {
  login: 'A login of Hermes.',
  fallback: '`auth.json` in `$HERMES_HOME` or `~/.hermes`',
  doc: "One provider's login in Hermes; `entry` names the provider, `xai-oauth` by default.",
});

const grok = ofTool('grok', {
  login: 'A login of Grok.',
  fallback: '`~/.grok/auth.json`',
  doc: 'The login of Grok, which its own program refreshes; `entry` names one where there are several.',
});

const googleAdc = ofTool('google-adc', {
  login: "Google's application default credentials.",
  fallback: '`application_default_credentials.json` in `$CLOUDSDK_CONFIG` or `~/.config/gcloud`',
  doc: "Google's application default credentials of a person: a refresh token only. The access token is kept in memory and fetched again after a restart.",
});

const FORMATS = [
  object(
    { format: format('token-response', 'freshd keeps the token response itself.'), path: storePath() },
    { doc: 'A token response (RFC 6749 5.1) plus `obtained_at`.' },
  ),
  claudeCode,
  codex,
  gemini,
  opencode,
  openclaw,
  hermes,
  grok,
  googleAdc,
  object(
    { format: format('json', 'Any JSON file.'), path: storePath(), pointers },
    { doc: 'A JSON file of any shape.' },
  ),
  object(
    {
      format: format('env', 'Any `.env` file.'),
      path: storePath(),
      variable: variable('The variable that holds the token.'),
      expiresAtVariable: variable('A variable that holds its expiry.').optional(),
    },
    { doc: 'One variable of a `.env` file.' },
  ),
  object(
    { format: format('text', 'The whole file is the token.'), path: storePath() },
    { doc: 'A file that holds only the token; if that is a JWT, its `exp` counts.' },
  ),
  object(
    {
      format: format('command', 'A program prints the token.'),
      command: argv({
        doc: 'The program and its arguments, for example `["gh", "auth", "token"]`. It runs at start and at every store check, for 9 seconds at most.',
      }),
    },
    { doc: 'The token that a program prints, and whose grant that program keeps. Never written.' },
  ),
] as const;

export const storeSchema = oneOf('format', FORMATS, {
  values: FORMATS.flatMap(({ shape }) => shape.format.options),
  doc: 'Where the credential lies. One of `store` and `static` is needed.',
});
