/**
 * The schema of config.json: each key once with type, unit, bounds, default and meaning.
 *
 * Rule: nothing is resolved here; config.schema.json and docs/config.md are generated from this file and its parts.
 */
import * as z from 'zod';
import { ALERT_KINDS } from '../core/policy.ts';
import { ALERT_KEYS, ALERT_SWITCHES, type AlertKey } from './alert-keys.ts';
import { complain, describeSeen } from './complaint.ts';
import { LIMIT_NAMES, SETTING_TABLE } from './limits.ts';
import { sinkSchema } from './schema-alert-sink.ts';
import { credentialSchema, limitShape } from './schema-credential.ts';
import { choice, docs, flag, list, number, object, path, text } from './schema-kit.ts';

/** Grows when an older file could not be read as it stands any more. */
const CONFIG_VERSION = 1;

const alertsElsewhere = Object.fromEntries([...ALERT_KEYS, 'reminderHours', 'sinks'].map((key) => [key, '"alerts"']));
const limitsElsewhere = Object.fromEntries(LIMIT_NAMES.map((name) => [name, '"defaults", or a credential']));

const alertSwitches = Object.fromEntries(
  ALERT_KINDS.map((kind) => [ALERT_SWITCHES[kind].key, flag({ doc: ALERT_SWITCHES[kind].doc, fallback: 'true' })]),
) as { [K in AlertKey]: z.ZodOptional<z.ZodBoolean> };

const alertsSchema = object(
  {
    ...alertSwitches,
    reminderHours: number({
      unit: 'hours',
      min: 0.001,
      max: 8760,
      doc: 'Repeats an open request to log in again this often. Left out: never.',
    }),
    sinks: list(sinkSchema, { doc: 'Where alerts go. One that accepts is enough.', fallback: '`[{ "type": "log" }]`' }),
  },
  { doc: 'What a person is told, and where. Each kind once per episode.' },
);

const versionSchema = z.literal(CONFIG_VERSION, {
  error: (issue) =>
    complain({
      expected: String(CONFIG_VERSION),
      seen: describeSeen(issue.input),
      remedy:
        typeof issue.input === 'number' && issue.input > CONFIG_VERSION
          ? 'the file was written for a newer freshd: update freshd'
          : 'leave it out for the present version',
    }),
});
docs.add(versionSchema, { text: 'Version of this format.', kind: 'number', fallback: String(CONFIG_VERSION) });

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

const byNameError =
  (what: 'credential' | 'chain') =>
  (issue: z.core.$ZodRawIssue): string =>
    issue.code === 'invalid_key'
      ? complain({
          expected: 'a name of a-z, 0-9, ".", "_" and "-", at most 63 characters, beginning with a letter or digit',
          seen: describeSeen(issue.input),
          remedy: `rename the ${what}`,
        })
      : complain({
          expected: `an object of names and ${what}s`,
          seen: describeSeen(issue.input),
          remedy: issue.input === undefined ? 'add it' : 'correct it',
        });

const credentialsSchema = z.record(z.string().regex(NAME), credentialSchema(alertsElsewhere), {
  error: byNameError('credential'),
});
docs.add(credentialsSchema, { text: 'The credentials, by name.', kind: 'object' });

const CHAIN_MEMBERS_MAX = 16;
const membersError = (issue: z.core.$ZodRawIssue): string =>
  complain({
    expected: `an array of 1–${CHAIN_MEMBERS_MAX} names of credentials`,
    seen: describeSeen(issue.input),
    remedy: 'name the most preferred one first',
  });
const chainsSchema = z.record(
  z.string().regex(NAME),
  z
    .array(z.string({ error: membersError }), { error: membersError })
    .min(1)
    .max(CHAIN_MEMBERS_MAX),
  { error: byNameError('chain') },
);
docs.add(chainsSchema, {
  text: 'Chains by name: each an array of names of credentials, the most preferred first. The first usable one is in use. A chain is read like a credential, so no credential may have its name.',
  kind: 'object of arrays of names',
});

export const configSchema = object(
  {
    $schema: text({ expected: 'a string', doc: 'For editors; freshd does not read it.' }).optional(),
    version: versionSchema.optional(),
    stateDirectory: path({
      doc: 'Where freshd keeps its own memory, journal and lock. One daemon per directory.',
      fallback:
        '`$STATE_DIRECTORY`, `$XDG_STATE_HOME/freshd`, `~/.local/state/freshd`; `/var/lib/freshd` for root; `~/Library/Application Support/freshd` on macOS',
    }).optional(),
    socket: object(
      {
        path: path({
          doc: 'The Unix socket of the API; at most 107 bytes.',
          fallback:
            '`$RUNTIME_DIRECTORY/freshd.sock`, `$XDG_RUNTIME_DIR/freshd/freshd.sock`, `freshd.sock` in the state directory',
        }).optional(),
        group: text({
          expected: 'the name or the number of a group',
          doc: 'Its members may connect too: the socket has mode 0660 then. What changes the daemon (`refresh`, `reload`) is answered to its own user only, on `control.sock` beside it.',
          fallback: 'none; only this user (mode 0600)',
        }).optional(),
      },
      { doc: 'The socket.' },
    ).optional(),
    log: object(
      {
        level: choice(['debug', 'info', 'warn', 'error'], { doc: 'What is logged.', fallback: '`"info"`' }).optional(),
        file: path({ doc: 'Log into this file.', fallback: 'stdout' }).optional(),
      },
      { doc: 'The log.' },
    ).optional(),
    reloadOnChange: flag({ doc: 'Reload when this file changes.', fallback: 'false' }),
    maxConcurrentRefreshes: number(SETTING_TABLE.maxConcurrentRefreshes),
    defaults: object(limitShape, {
      doc: 'Limits for every credential that does not set its own.',
      elsewhere: alertsElsewhere,
    }).optional(),
    credentials: credentialsSchema,
    chains: chainsSchema.optional(),
    alerts: alertsSchema.optional(),
  },
  { doc: 'config.json', elsewhere: { ...limitsElsewhere, ...alertsElsewhere } },
);

/** config.json as written, after its shape was checked. */
export type RawConfig = z.infer<typeof configSchema>;
export type RawCredential = RawConfig['credentials'][string];
export type RawAlerts = NonNullable<RawConfig['alerts']>;
