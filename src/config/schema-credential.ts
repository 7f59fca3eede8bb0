/**
 * The part of the schema that describes one credential: where it lies, how it is refreshed, where it is delivered.
 *
 * Rule: shapes and bounds only; what depends on several keys at once is checked in resolve-credential.ts.
 */
import * as z from 'zod';
import { complain, describeSeen } from './complaint.ts';
import { LIMIT_NAMES, LIMIT_TABLE, type LimitName, SETTING_TABLE } from './limits.ts';
import { allowSchema } from './schema-access.ts';
import { argv, choice, docs, flag, list, number, object, path, text } from './schema-kit.ts';
import { oauthSchema } from './schema-oauth.ts';
import { storeSchema, VARIABLE, variable } from './schema-store.ts';

/** Every limit, optional: what `defaults` and each credential may set. */
export const limitShape = Object.fromEntries(LIMIT_NAMES.map((name) => [name, number(LIMIT_TABLE[name])])) as {
  [K in LimitName]: z.ZodOptional<z.ZodNumber>;
};

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
      fallback: '`"stdout"`; `"store"` for a store whose own tool refreshes it, or that freshd does not write',
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
      doc: 'A program to run after each new token or withdrawal, once the files of that credential and its chain were written, or could not be. It gets facts in its environment, never the token.',
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

const windowError = (issue: z.core.$ZodRawIssue): string =>
  complain({
    expected: 'a cron pattern, or { "cron": "…", "timeZone": "…" }',
    seen: describeSeen(issue.input),
    remedy: 'for example "* 2-4 * * *": between 2 and 5 at night',
  });
const windowSchema = z.union(
  [
    z.string().min(1),
    object(
      {
        cron: text({ expected: 'a cron pattern of five parts', doc: 'Minute, hour, day, month and weekday.' }),
        timeZone: text({
          expected: 'a time zone such as "Europe/Paris"',
          doc: 'The zone of these hours.',
          fallback: 'that of the machine',
        }).optional(),
      },
      { doc: '' },
    ),
  ],
  { error: windowError },
);
docs.add(windowSchema, {
  text: 'When a refresh is welcome, as a cron pattern of five parts. The last such moment before the refresh would be due anyway is taken; without one in the later half of that time, the refresh is made when it is due. Without `timeZone` (such as `"Europe/Paris"`) the hours are those of the machine.',
  kind: 'a cron pattern, or an object of `cron` and `timeZone`',
  fallback: 'any time',
});

// A header's name, but neither a scheme of Authorization that freshd does not speak nor a header that belongs to the connection.
const SCHEME_PATTERN =
  /^(?!(?:basic|digest|dpop|negotiate|token|connection|content-length|cookie|expect|host|te|trailer|transfer-encoding|upgrade)$)[a-z][a-z0-9-]{0,62}$/;

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
        doc: 'Which login of the store this credential is, where one file holds several: a member (`token-response`), a provider (`opencode`, `hermes`), a profile (`openclaw`), a login (`grok`).',
        fallback: 'the whole file, or the only login in it',
      }).optional(),
      tokenFile: flag({
        doc: 'Keep the bare token in `<runtime directory>/tokens/<name>`, readable by this user only.',
        fallback: 'true; false with `allow`',
      }),
      watch: list(path({ doc: 'A file, or a folder in which files come and go.' }), {
        doc: 'What changes when a person logs in, where the store does not show that: the file of a tool, for example, whose tokens a script asks for. While a person is asked to log in these are looked at every storeCheckSeconds, and a change tries again at once.',
        fallback: 'the store alone',
        kind: 'array of paths',
      }),
      allow: allowSchema.optional(),
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
      refreshTokenIdleDays: number({
        unit: 'days',
        min: 0.001,
        max: 3650,
        doc: 'The server lets a refresh token end when it is not used for this long. You are warned 7, 3 and 1 days ahead, also where no answer states an end.',
      }),
      window: windowSchema.optional(),
      scheme: text({
        expected: '"bearer", or the name of a header in lower case',
        pattern: SCHEME_PATTERN,
        remedy: 'for example "x-api-key": that header then holds the bare token',
        doc: 'How a request carries the token: in `Authorization: Bearer …`, or bare in a header of its own. `client.fetch` and `--format header` place it so.',
        fallback: '`"bearer"`',
      }).optional(),
      optional: flag({ doc: 'Its state does not count for readiness.', fallback: 'false' }),
      ...limitShape,
    },
    { doc: 'One credential. It may also set every limit of `defaults` for itself.', elsewhere },
  );
