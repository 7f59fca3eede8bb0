/**
 * The part of the schema that describes one credential: where it lies, how it is refreshed, where it is delivered.
 *
 * Rule: shapes and bounds only; what depends on several keys at once is checked in resolve-credential.ts.
 */
import * as z from 'zod';
import { complain, describeSeen } from './complaint.ts';
import { LIMIT_NAMES, LIMIT_TABLE, type LimitName, SETTING_TABLE } from './limits.ts';
import { argv, choice, docs, flag, list, number, object, oneOf, path, text } from './schema-kit.ts';
import { oauthSchema } from './schema-oauth.ts';

/** Every limit, optional: what `defaults` and each credential may set. */
export const limitShape = Object.fromEntries(LIMIT_NAMES.map((name) => [name, number(LIMIT_TABLE[name])])) as {
  [K in LimitName]: z.ZodOptional<z.ZodNumber>;
};

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const variable = (doc: string): z.ZodString =>
  text({ expected: 'a variable name of letters, digits and _', pattern: VARIABLE, doc });

const pointer = (doc: string): z.ZodString =>
  text({ expected: 'a JSON pointer such as "/tokens/access_token"', pattern: /^\/(?:[^~]|~[01])*$/, doc });

const storePath = (): z.ZodString => path({ doc: 'The file.' });
const format = <const F extends string>(name: F, doc: string) => choice([name], { doc });

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

const storeSchema = oneOf(
  'format',
  [
    object(
      { format: format('token-response', 'freshd keeps the token response itself.'), path: storePath() },
      { doc: 'A token response (RFC 6749 5.1) plus `obtained_at`.' },
    ),
    object(
      {
        format: format('claude-code', 'The credential file of Claude Code; read only.'),
        path: path({
          doc: 'The file.',
          fallback: '`~/.claude/.credentials.json`, or `.credentials.json` in `$CLAUDE_CONFIG_DIR`',
        }).optional(),
      },
      { doc: 'The login of Claude Code, which its own program refreshes.' },
    ),
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
  ],
  {
    values: ['token-response', 'claude-code', 'json', 'env', 'text'],
    doc: 'Where the credential lies on disk. One of `store` and `static` is needed.',
  },
);

const environmentError = (issue: z.core.$ZodRawIssue): string =>
  issue.code === 'invalid_key'
    ? complain({
        expected: 'a variable name of letters, digits and _',
        seen: 'another key',
        remedy: 'rename it',
      })
    : complain({
        expected: 'an object of variable names and strings',
        seen: describeSeen(issue.input, true),
        remedy: 'correct it',
      });

const environment = z.record(
  z.string().regex(VARIABLE),
  z.string({
    error: (issue) =>
      complain({ expected: 'a string', seen: describeSeen(issue.input, true), remedy: 'put it into quotes' }),
  }),
  { error: environmentError },
);
docs.add(environment, {
  text: `Variables for the script, beside the few it always gets (PATH, HOME, locale, proxies, CA files). Values may be \`\${env:NAME}\` or \`\${file:PATH}\`.`,
  kind: 'object of strings',
});

const followSchema = z.literal(true, {
  error: (issue) =>
    complain({ expected: 'true', seen: describeSeen(issue.input), remedy: 'leave it out to run a command' }),
});
docs.add(followSchema, {
  text: 'Never refresh; only watch the store, and publish what its own tool puts there.',
  kind: 'true',
});

const refreshSchema = object(
  {
    command: argv({
      doc: 'The refresh script: a program and its arguments. A relative path counts from the folder of the configuration.',
    }).optional(),
    oauth: oauthSchema.optional(),
    follow: followSchema.optional(),
    result: choice(['stdout', 'text', 'store'], {
      doc: 'Where the new token is: a token response on stdout, the bare token on stdout, or the store, which the script itself changed.',
      fallback: '`"stdout"`; `"store"` for a store that freshd does not write',
    }).optional(),
    input: choice(['none', 'token'], {
      doc: '`"token"`: the stored token response comes to the script on stdin as JSON.',
      fallback: '`"none"`',
    }).optional(),
    environment: environment.optional(),
  },
  { doc: 'Who refreshes: `command`, `oauth` or `"follow": true`. Needed with `store`, absent with `static`.' },
);

const publishSchema = object(
  {
    envFile: path({ doc: 'A `.env` file to keep the token in. Its other lines stay as they are.' }).optional(),
    variable: variable('The variable in that file; from now on freshd writes it.').optional(),
    metadata: flag({ doc: 'Also write `<VARIABLE>_EXPIRES_AT` and `<VARIABLE>_GENERATION`.', fallback: 'true' }),
    followSymlink: flag({ doc: 'Write through a symbolic link instead of refusing it.', fallback: 'false' }),
    write: choice(['atomic', 'in-place'], {
      doc: 'How the file is replaced. `"in-place"` is for a file that is mounted by itself (a container): a reader may then see half of it.',
      fallback: '`"atomic"`',
    }).optional(),
    hook: argv({
      doc: 'A program to run after each new token or withdrawal. It gets facts in its environment, never the token.',
    }).optional(),
    timeoutSeconds: number(SETTING_TABLE.hookTimeoutSeconds),
  },
  { doc: 'One place to deliver to: `envFile` with `variable`, or `hook`.' },
);

const DAY_SECONDS = 24 * 60 * 60;

const TEN_YEARS_SECONDS = LIMIT_TABLE.expiresInDefaultSeconds.max;
const expiresError = (issue: z.core.$ZodRawIssue): string =>
  complain({
    expected: `"never", "unknown" or a life of 1–${TEN_YEARS_SECONDS} seconds`,
    seen: describeSeen(issue.input),
    remedy: 'leave it out for what the store says',
  });
const expiresSchema = z.union([z.enum(['never', 'unknown']), z.number().min(1).max(TEN_YEARS_SECONDS)], {
  error: expiresError,
});
docs.add(expiresSchema, {
  text: 'Overrides the expiry: `"never"`, `"unknown"` (planned by expiresInDefaultSeconds, never withdrawn), or the life in seconds.',
  kind: '"never", "unknown" or a number of seconds',
  bounds: `1–${TEN_YEARS_SECONDS}`,
  fallback: 'what the store says; `"never"` for `static`',
});

/** Alert keys are passed in because they belong into another object, where the message sends the reader. */
export const credentialSchema = (elsewhere: Readonly<Record<string, string>>) =>
  object(
    {
      store: storeSchema.optional(),
      static: text({
        expected: `\${env:NAME} or \${file:PATH}`,
        pattern: /\$\{(?:env|file):[^}]+\}/,
        secret: true,
        remedy: 'a secret does not belong into this file: put it into the environment or a file of its own',
        doc: `A value that is never refreshed, for example an API key: \`\${env:NAME}\` or \`\${file:PATH}\`.`,
      }).optional(),
      refresh: refreshSchema.optional(),
      publish: list(publishSchema, {
        doc: 'Where the token is delivered.',
        fallback: 'nowhere but socket and token file',
      }),
      entry: text({
        expected: 'the name of a member',
        doc: 'The member of the store that is this credential, where one file of the format `token-response` holds several.',
        fallback: 'the whole file',
      }).optional(),
      tokenFile: flag({
        doc: 'Keep the bare token in `<runtime directory>/tokens/<name>`, readable by this user only.',
        fallback: 'true',
      }),
      expires: expiresSchema.optional(),
      rotates: flag({
        doc: 'Its refresh tokens are single use, so an attempt with an unknown outcome is repeated with care.',
        fallback: 'by store format: true where there is a refresh token',
      }),
      reuseGraceSeconds: number({
        unit: 'seconds',
        min: 0.1,
        max: DAY_SECONDS,
        doc: 'How long the server accepts the last used refresh token once more, where you know it. A refresh that freshd itself sends then waits at most half of that for its answer, so that a repetition arrives in time.',
      }),
      optional: flag({ doc: 'Its state does not count for readiness.', fallback: 'false' }),
      scheme: text({
        expected: '"bearer" or the name of a header',
        pattern: /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/,
        doc: 'How a consumer sends it: `"bearer"`, or the name of a header such as `x-api-key`.',
        fallback: '`"bearer"`',
      }).optional(),
      ...limitShape,
    },
    { doc: 'One credential. It may also set every limit of `defaults` for itself.', elsewhere },
  );
