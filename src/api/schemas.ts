/**
 * JSON Schemas of what the API takes and gives: fastify validates requests by them, and the OpenAPI document shows them.
 *
 * Rule: request schemas admit no unknown member and bound every length; response schemas only describe.
 */

import { eventsSchema } from './event-schemas.ts';
import {
  CONSUMER_PATTERN,
  MIN_VALID_SECONDS_MAX,
  NAME_PATTERN,
  SUBSCRIBED_NAMES_MAX,
  WAIT_SECONDS_MAX,
} from './protocol.ts';
import {
  COUNT,
  COUNT_OR_NULL,
  FLAG,
  MOMENT,
  MOMENT_OR_NULL,
  nullable,
  object,
  type Schema,
  TEXT,
  TEXT_OR_NULL,
  TEXTS,
} from './schema-parts.ts';

const WAIT_SECONDS: Schema = {
  type: 'number',
  minimum: 0,
  maximum: WAIT_SECONDS_MAX,
  description: 'Wait at most this long; without it nothing is started and nothing awaited.',
};

const GENERATION: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

const CONSUMER: Schema = { type: 'string', pattern: CONSUMER_PATTERN, description: 'Who asks; the same each time.' };

export const CREDENTIAL_PARAMS: Schema = object(
  {
    credential: { type: 'string', pattern: NAME_PATTERN, description: 'Name of a credential or chain in config.json.' },
  },
  ['credential'],
);

export const TOKEN_QUERY: Schema = object({
  min_valid_seconds: {
    type: 'number',
    minimum: 0,
    maximum: MIN_VALID_SECONDS_MAX,
    description: 'Only a token that stays valid for this long.',
  },
  wait_seconds: WAIT_SECONDS,
  after_generation: {
    ...GENERATION,
    description: 'Only another generation than this one, which is thereby acknowledged.',
  },
  consumer: CONSUMER,
});

export const EVENTS_QUERY: Schema = object({
  credential: {
    type: 'array',
    items: { type: 'string', pattern: NAME_PATTERN },
    maxItems: SUBSCRIBED_NAMES_MAX,
    description: 'Only events of these; may be repeated. All when left out.',
  },
  consumer: CONSUMER,
  observer: { type: 'boolean', description: 'Only looks on, and counts as nobody who needs the token.' },
});

export const REJECTION_QUERY: Schema = object({ wait_seconds: WAIT_SECONDS });

export const REJECTION_BODY: Schema = object(
  {
    generation: { ...GENERATION, description: 'Generation of the token that was refused.' },
    credential: {
      type: 'string',
      pattern: NAME_PATTERN,
      description: 'Whose token it was, where it was read by the name of a chain.',
    },
    http_status: { type: 'integer', minimum: 100, maximum: 599, description: '401 when left out.' },
    body: { type: 'string', maxLength: 16_384, description: 'What the resource server answered.' },
    consumer: CONSUMER,
  },
  ['generation'],
);

export const REFRESH_BODY: Schema = {
  ...object({ force: { type: 'boolean', description: 'Also while more than half of the life remains.' } }),
  type: ['object', 'null'],
};

const CONSUMERS_MEMBERS: Record<string, Schema> = {
  total: COUNT,
  behind: COUNT,
  behind_on: { type: 'array', items: object({ generation: COUNT_OR_NULL, consumers: COUNT }) },
};

const CONSUMERS_DETAIL: Schema = object({
  ...CONSUMERS_MEMBERS,
  each: {
    type: 'array',
    items: object({ consumer: TEXT_OR_NULL, subscribed: FLAG, sent: COUNT_OR_NULL, acknowledged: COUNT_OR_NULL }),
  },
});

const PUBLICATIONS: Schema = {
  type: 'array',
  items: object({
    target: TEXT,
    status: { enum: ['pending', 'done', 'failed'] },
    holds: { type: ['integer', 'string', 'null'] },
    code: TEXT_OR_NULL,
    remedy: TEXT_OR_NULL,
  }),
};

const CHAIN_MEMBERS: Record<string, Schema> = {
  chain: TEXT,
  credential: TEXT_OR_NULL,
  generation: COUNT_OR_NULL,
  since: MOMENT_OR_NULL,
  instead_of: nullable(object({ credential: TEXT, reason: TEXT, code: TEXT })),
  optional: FLAG,
  members: {
    type: 'array',
    items: object({
      credential: TEXT,
      standing: { enum: ['usable', 'ending', 'doubtful', 'unusable', 'absent'] },
      reason: TEXT_OR_NULL,
      code: TEXT_OR_NULL,
      remedy: TEXT_OR_NULL,
      settles_in_seconds: COUNT_OR_NULL,
    }),
  },
  publications: PUBLICATIONS,
  consumers: nullable(object(CONSUMERS_MEMBERS)),
  fault: TEXT_OR_NULL,
};

const STATUS: Schema = { enum: ['usable', 'expiring', 'expired', 'rejected', 'none'] };

const CREDENTIAL_MEMBERS: Record<string, Schema> = {
  credential: TEXT,
  phase: TEXT,
  reason: TEXT_OR_NULL,
  status: STATUS,
  refreshable: FLAG,
  durable: FLAG,
  optional: FLAG,
  generation: COUNT_OR_NULL,
  expires_at: MOMENT_OR_NULL,
  expiry_assumed: FLAG,
  next: object({ what: TEXT, at: MOMENT_OR_NULL, in_seconds: COUNT_OR_NULL, why: TEXT }),
  last_attempt: nullable(object({ attempt: COUNT, began_at: MOMENT, reason: TEXT_OR_NULL })),
  last_succeeded_at: MOMENT_OR_NULL,
  failures: COUNT,
  last_failure: nullable(object({ class: TEXT, code: TEXT, at: MOMENT, detail: TEXT_OR_NULL })),
  in_doubt: FLAG,
  episode: nullable(object({ started_at: MOMENT, code: TEXT, alerts: TEXTS })),
  publications: PUBLICATIONS,
  variable: TEXT_OR_NULL,
  consumers: nullable(object(CONSUMERS_MEMBERS)),
  chains: TEXTS,
  remedy: TEXT_OR_NULL,
  fault: TEXT_OR_NULL,
};

const TOKEN_MEMBERS: Record<string, Schema> = {
  credential: TEXT,
  chain: TEXT,
  access_token: TEXT,
  token_type: TEXT,
  scheme: TEXT,
  expires_in: COUNT_OR_NULL,
  expires_at: MOMENT_OR_NULL,
  generation: COUNT,
  refreshable: FLAG,
  durable: FLAG,
};

/** Bodies of answers, by the names they have in the OpenAPI document. */
export const RESPONSE_SCHEMAS = {
  Token: object(TOKEN_MEMBERS),
  Events: eventsSchema({ token: TOKEN_MEMBERS, status: STATUS }),
  Metrics: TEXT,
  Outcome: object(
    {
      credential: TEXT,
      chain: TEXT,
      outcome: {
        enum: ['refresh_started', 'joined', 'scheduled', 'superseded', 'ignored', 'not_needed', 'not_refreshable'],
      },
      in_seconds: COUNT,
      at: MOMENT,
      remedy: TEXT,
    },
    ['credential', 'outcome'],
  ),
  Credential: object({
    ...CREDENTIAL_MEMBERS,
    explanation: TEXTS,
    consumers: CONSUMERS_DETAIL,
  }),
  Chain: object({ ...CHAIN_MEMBERS, explanation: TEXTS, consumers: CONSUMERS_DETAIL }),
  CredentialOrChain: { oneOf: [{ $ref: '#/components/schemas/Credential' }, { $ref: '#/components/schemas/Chain' }] },
  Credentials: object({
    daemon: object({ version: TEXT, started_at: MOMENT, config_path: TEXT }),
    credentials: {
      type: 'array',
      items: object(CREDENTIAL_MEMBERS),
    },
    chains: { type: 'array', items: object(CHAIN_MEMBERS) },
  }),
  Reload: object({ added: TEXTS, changed: TEXTS, removed: TEXTS }),
  Live: object({
    status: { enum: ['live', 'stalled'] },
    version: TEXT,
    uptime_seconds: COUNT,
    overdue_seconds: COUNT_OR_NULL,
  }),
  Ready: object({
    ready: FLAG,
    credentials: {
      type: 'array',
      items: object({ credential: TEXT, ready: FLAG, reason: TEXT_OR_NULL, optional: FLAG, chains: TEXTS }),
    },
    chains: {
      type: 'array',
      items: object({ chain: TEXT, credential: TEXT_OR_NULL, ready: FLAG, reason: TEXT_OR_NULL, optional: FLAG }),
    },
  }),
  Error: object(
    {
      error: TEXT,
      error_description: TEXT,
      credential: TEXT,
      nearest: TEXT,
      remedy: TEXT,
      reason: TEXT,
      retry_after: COUNT,
      problems: TEXTS,
      chain: TEXT,
      members: {
        type: 'array',
        items: object({
          credential: TEXT,
          reason: TEXT,
          code: TEXT,
          remedy: TEXT_OR_NULL,
          retry_after: COUNT_OR_NULL,
        }),
      },
    },
    ['error', 'error_description'],
  ),
} as const satisfies Record<string, Schema>;

export type ResponseSchemaName = keyof typeof RESPONSE_SCHEMAS;
