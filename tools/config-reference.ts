/**
 * docs/config.md: every key of config.json in tables made from the schema, with the prose that ties them together.
 *
 * Rule: types, bounds, defaults and meanings come from the schema; only what no single key can say is written here.
 */
import * as z from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { limitShape } from '../src/config/schema-credential.ts';
import { type Doc, docs } from '../src/config/schema-kit.ts';
import { oauthSchema } from '../src/config/schema-oauth.ts';

export function configReference(): string {
  const { credentials, chains, alerts, socket, log, ...top } = configSchema.shape;
  const credential = objectIn(credentials);
  const { store, refresh, publish, ...own } = credential.shape;
  const ownKeys = Object.fromEntries(Object.entries(own).filter(([key]) => !(key in limitShape)));
  const alertShape = objectIn(alerts).shape;
  return [
    HEAD,
    '## Top level',
    table({ ...top, socket, log, credentials, chains, alerts }),
    '### `socket`',
    table(objectIn(socket).shape),
    '### `log`',
    table(objectIn(log).shape),
    '## `defaults`: limits',
    LIMITS_PROSE,
    table(limitShape),
    '## `credentials.<name>`',
    CREDENTIAL_PROSE,
    table({ store, refresh, publish, ...ownKeys }),
    '### `store`',
    STORE_PROSE,
    ...variants(store, 'format'),
    '### `refresh`',
    table(objectIn(refresh).shape),
    REFRESH_PROSE,
    '### `refresh.oauth`',
    table(oauthSchema.shape),
    OAUTH_PROSE,
    '### `publish[]`',
    table(objectIn(publish).shape),
    PUBLISH_PROSE,
    '## `chains`',
    CHAINS_PROSE,
    '## `alerts`',
    table(alertShape),
    '### `alerts.sinks[]`',
    ...variants(alertShape.sinks, 'type'),
    TAIL,
  ].join('\n\n');
}

/** The object schema inside optional, array and record wrappers. */
function objectIn<T extends z.ZodType>(schema: T): z.ZodObject<z.core.$ZodLooseShape> {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return inner;
  if (inner instanceof z.ZodArray) return objectIn(inner.element as z.ZodType);
  if (inner instanceof z.ZodRecord) return objectIn(inner.valueType as z.ZodType);
  throw new Error('expected a schema with an object in it');
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

/** One heading and table for each alternative of a union. */
function variants(schema: z.ZodType, discriminator: string): readonly string[] {
  const inner = unwrap(schema);
  const union = inner instanceof z.ZodArray ? unwrap(inner.element as z.ZodType) : inner;
  if (!(union instanceof z.ZodDiscriminatedUnion)) throw new Error('expected a union');
  return union.options.flatMap((option) => {
    const { shape } = objectIn(option as z.ZodType);
    const doc = docs.get(option as z.ZodType);
    const kind = docOf(shape[discriminator] as z.ZodType).kind;
    const nested = Object.entries(shape).flatMap(([key, value]) =>
      unwrap(value as z.ZodType) instanceof z.ZodObject
        ? [`\`${key}\`:`, table(objectIn(value as z.ZodType).shape)]
        : [],
    );
    const { [discriminator]: _, ...others } = shape;
    const keys = Object.keys(others).length === 0 ? [] : [table(others)];
    return [`#### \`"${discriminator}": ${kind}\``, doc?.text ?? '', ...keys, ...nested];
  });
}

function table(shape: z.core.$ZodLooseShape): string {
  const rows = Object.entries(shape).map(([key, value]) => {
    const schema = value as z.ZodType;
    const doc = docOf(schema);
    const bounds = doc.bounds === undefined ? '' : `, ${doc.bounds}`;
    const fallback = doc.fallback ?? (schema instanceof z.ZodOptional ? 'not set' : 'required');
    return [`\`${key}\``, `${doc.kind}${bounds}`, fallback, doc.text];
  });
  return [['key', 'value', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

function docOf(schema: z.ZodType): Doc {
  const doc = docs.get(schema) ?? docs.get(unwrap(schema));
  if (doc === undefined) throw new Error('expected every key of the schema to be documented');
  return doc;
}

const HEAD = `# config.json

<!-- Generated from src/config by \`npm run docs\`; do not edit. -->

The file is looked for at \`--config\`, \`$FRESHD_CONFIG\`, \`$XDG_CONFIG_HOME/freshd/config.json\`, \`~/.config/freshd/config.json\`
and \`/etc/freshd/config.json\`. A place that is named is the only one looked at.

It is plain JSON, without comments or commas at the end of a list. Unknown keys are errors, so that a misspelt one cannot be
overlooked. Minutes and seconds may have fractions. \`~\` stands for the home folder; a relative path counts from the folder of
the file. A file or folder that others may write is refused, because the file names programs to run.

\`\`\`json
{
  "$schema": "./config.schema.json",
  "credentials": {
    "claude": {
      "store": { "format": "claude-code" },
      "refresh": { "command": ["./scripts/refresh-claude.sh"], "result": "store" },
      "publish": [
        { "envFile": "/srv/bot/.env", "variable": "CLAUDE_CODE_OAUTH_TOKEN" },
        { "hook": ["systemctl", "--user", "restart", "bot"] }
      ]
    },
    "mail": {
      "store": { "format": "token-response", "path": "~/.local/share/mail/token.json" },
      "refresh": { "oauth": { "tokenEndpoint": "https://login.example/token", "clientId": "mail", "clientSecret": "\${env:MAIL_SECRET}" } }
    },
    "key": { "static": "\${env:ANTHROPIC_API_KEY}", "publish": [{ "envFile": "/srv/bot/.env", "variable": "ANTHROPIC_API_KEY" }] }
  },
  "chains": { "anthropic": ["claude", "key"] },
  "alerts": { "sinks": [{ "type": "slack", "url": "\${env:SLACK_WEBHOOK}" }] }
}
\`\`\`

## Secrets

\`\${env:NAME}\` and \`\${file:PATH}\` are the only ways a secret gets in. They are understood in \`static\`, in \`refresh.environment\`, in
\`refresh.oauth\`, in the \`url\` of a sink, and in paths; not in the arguments of a program, which every process on the machine can read. The
environment is the one in which freshd was started; a reload does not see a newer one. The files that a credential names are looked at
every \`storeCheckSeconds\`: another secret is taken over by itself, without a reload of config.json, and a credential that was stopped
by the old one is tried again; the file of a sink is read again by a reload. One that is gone or empty changes nothing, and the log says so
(\`reload_refused\`). A relative \`PATH\` is looked for in \`$CREDENTIALS_DIRECTORY\` (systemd) first, then in the folder of
config.json. One newline at the end of a file is dropped.

## When something is wrong

\`freshd check\` looks at everything without running anything, and says all problems at once: where, what was expected, what was
found, and what to do.

\`\`\`
credentials.mail.refreshTimeoutSeconds: expected 0.05–3600, got 0; leave it out for the default of 60
\`\`\`

It also says what is legal but unwise: retries that do not fit before the expiry, a store, secret or \`.env\` that others may read,
a \`.env\` that is mounted by itself, a program that is missing, that others may write, or that only your login's PATH has, and
alerts that can reach nobody.`;

const LIMITS_PROSE = `Each can be set here for all credentials, and in a credential for that one alone. The credential wins, then its store format, then
\`defaults\`, then the built-in value. The formats \`claude-code\`, \`codex\`, \`gemini\` and \`grok\`
have limits of their own, because their own tools refresh those stores:
\`refreshMarginMinutes\` 4.5, \`refreshTimeoutSeconds\` 120, \`killGraceSeconds\` 15.`;

const CREDENTIAL_PROSE = 'A credential may also set any of the limits above.';

const STORE_PROSE = `Two credentials must not have the same store entry, and nothing may be published into a store.`;

const REFRESH_PROSE = `\`result\`, \`input\` and \`environment\` belong to \`command\`. The script runs in the folder of config.json, without a shell.`;

const OAUTH_PROSE = `freshd ships no client id. The client id and secret are the ones of your own registration; some providers' terms forbid that another
program refreshes the login of their subscription, and the first start says so where a tool owns the store. \`clientSecret\` and any
parameter may be \`\${env:NAME}\` or \`\${file:PATH}\`.

Addresses are https, or http to this machine. A redirect is an error, and nothing is sent on. \`https_proxy\`, \`all_proxy\` and
\`no_proxy\` (also in capitals) are obeyed, with http:// and https:// proxies; CIDR ranges in \`no_proxy\` are not understood. What could
not be reached was surely not sent and is simply tried again; after the request was sent, a lost answer leaves the refresh token in
doubt.

\`freshd login NAME\` gets a first grant with the same keys: by a code that you type in elsewhere (RFC 8628) where there is a
\`deviceAuthorizationEndpoint\`, else in a browser on this machine (RFC 8252, with PKCE) by \`authorizationEndpoint\`. Both are also
found through \`issuer\`.`;

const PUBLISH_PROSE = `\`variable\`, \`metadata\`, \`followSymlink\` and \`write\` belong to \`envFile\`, \`timeoutSeconds\` to \`hook\`. No two credentials may write the same
variable of the same file, unless they are members of one chain.`;

const CHAINS_PROSE = `A chain is a list of credentials, the most preferred first: \`"anthropic": ["claude", "key"]\`. Of these the first usable one is in
use. Readers ask for the chain by its name and are told which credential answered; the generation they see is the chain's own,
and grows with each change.

- The way to a fallback takes no time, and a single report of a rejection is enough for it. The way back waits until the
  preferred credential has been usable for its \`chainSettleSeconds\`.
- What the members \`publish\` follows the chain: the variables of the one in use stand, those of the others do not, and one
  write changes both. Two members may have the same variable. \`<VARIABLE>_GENERATION\` is then the chain's. A member's hook
  runs when the member comes into use, when its token changes meanwhile, and when it goes out of use.
- \`<runtime directory>/tokens/<chain>\` holds the token in use, unless a member has \`"tokenFile": false\`; each member keeps
  its own file under its own name. \`<runtime directory>/down/<chain>\` exists while no member is usable.
- For readiness the chain counts, and no longer its members.
- A credential that publishes can be in one chain only; others may be in several.`;

const TAIL = `A URL is never logged or shown: whoever has it can send in your name.

## Reload

\`freshd reload\`, SIGHUP or, with \`reloadOnChange\`, a change of the file reads it again: all of it is taken over, or nothing. The
state directory and the socket can only be changed by a restart.
`;
