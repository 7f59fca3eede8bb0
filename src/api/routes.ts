/**
 * The route table: every call of the socket API, with what it takes, what it answers, and three lines that do it.
 *
 * Rule: handlers look, dispatch, and answer; every decision about a credential is the core's.
 */
import type { CredentialState } from '../core/state.ts';
import { requestOutcome } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Asker } from './access.ts';
import { chainDetailBody } from './chain-bodies.ts';
import { type Consumers, presentGeneration } from './consumers.ts';
import { credentialDetailBody, credentialsBody, liveBody, readyBody } from './descriptions.ts';
import type { Events } from './events.ts';
import type { Figures } from './figures.ts';
import { readNamed, refusalOf } from './named-token.ts';
import type { RejectionBody } from './protocol.ts';
import { reportRejection } from './rejections.ts';
import {
  notAllowed,
  type Reply,
  refused,
  success,
  type Takeover,
  tooManySubscribers,
  unknownCredential,
} from './reply.ts';
import type { Schema } from './schema-parts.ts';
import {
  CREDENTIAL_PARAMS,
  EVENTS_QUERY,
  REFRESH_BODY,
  REJECTION_BODY,
  REJECTION_QUERY,
  type ResponseSchemaName,
  TOKEN_QUERY,
} from './schemas.ts';
import type { TokenReader } from './tokens.ts';
import { outcomeOnWire } from './wire.ts';

export interface ApiContext {
  readonly daemon: DaemonPort;
  readonly tokens: TokenReader;
  readonly events: Events;
  readonly consumers: Consumers;
  readonly figures: Figures;
}

/** A request that passed its schemas. */
export interface ApiRequest {
  /** Empty where the path names none. */
  readonly credential: string;
  readonly query: {
    readonly min_valid_seconds?: number;
    readonly wait_seconds?: number;
    readonly after_generation?: number;
    readonly consumer?: string;
    readonly observer?: boolean;
    readonly credential?: readonly string[];
  };
  /** Of the header `Last-Event-ID`. */
  readonly lastEventId: string | undefined;
  readonly body: unknown;
  readonly acceptsText: boolean;
  /** Registers what to call when the client hangs up. */
  readonly onGone: (leave: () => void) => void;
  readonly asker: Asker;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** In fastify's spelling; the OpenAPI document turns `:name` into `{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Schema;
  readonly query?: Schema;
  readonly body?: Schema;
  readonly answers: Readonly<Record<number, ResponseSchemaName>>;
  /** Changes the daemon: not for a group that the socket is shared with. */
  readonly isForOperators?: boolean;
  /** JSON when left out. */
  readonly answersAs?: 'json or text' | 'text' | 'events';
  readonly handle: (context: ApiContext, request: ApiRequest) => Reply | Takeover | Promise<Reply>;
}

export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/tokens/:credential',
    summary:
      'The access token of a credential, or of the member of a chain that is in use; bare with Accept: text/plain.',
    params: CREDENTIAL_PARAMS,
    query: TOKEN_QUERY,
    answers: { 200: 'Token', 403: 'Error', 404: 'Error', 409: 'Error', 503: 'Error' },
    answersAs: 'json or text',
    handle: readOneToken,
  },
  {
    method: 'POST',
    path: '/v1/tokens/:credential/rejections',
    summary: 'Reports that a resource server refused a generation; with wait_seconds the answer is the next token.',
    params: CREDENTIAL_PARAMS,
    query: REJECTION_QUERY,
    body: REJECTION_BODY,
    answers: { 200: 'Token', 202: 'Outcome', 403: 'Error', 404: 'Error', 409: 'Error', 503: 'Error' },
    handle: report,
  },
  {
    method: 'GET',
    path: '/v1/credentials',
    summary: 'State of every credential and chain; no secrets.',
    answers: { 200: 'Credentials' },
    handle: ({ daemon, consumers }) => success(200, credentialsBody(daemon, consumers)),
  },
  {
    method: 'GET',
    path: '/v1/credentials/:credential',
    summary: 'State of one credential or chain, with what happens next and why; no secrets.',
    params: CREDENTIAL_PARAMS,
    answers: { 200: 'CredentialOrChain', 404: 'Error' },
    handle: describeOne,
  },
  {
    method: 'POST',
    path: '/v1/credentials/:credential/refresh',
    summary: 'Asks for a refresh; nothing to do while more than half of the life remains, unless forced.',
    params: CREDENTIAL_PARAMS,
    body: REFRESH_BODY,
    isForOperators: true,
    answers: { 202: 'Outcome', 403: 'Error', 404: 'Error' },
    handle: requestRefresh,
  },
  {
    method: 'GET',
    path: '/v1/events',
    summary: 'Server-sent events: the present state, then each change; the latest of each, never a backlog.',
    query: EVENTS_QUERY,
    answers: { 200: 'Events', 403: 'Error', 404: 'Error', 503: 'Error' },
    answersAs: 'events',
    handle: subscribe,
  },
  {
    method: 'POST',
    path: '/v1/reload',
    summary: 'Loads the configuration again: all of it, or nothing.',
    isForOperators: true,
    answers: { 200: 'Reload', 403: 'Error', 422: 'Error' },
    handle: reload,
  },
  {
    method: 'GET',
    path: '/v1/health/live',
    summary: 'The daemon answers, and its scheduler still wakes up; 503 when it stands still.',
    answers: { 200: 'Live', 503: 'Live' },
    handle: ({ daemon }) => liveReply(daemon),
  },
  {
    method: 'GET',
    path: '/v1/health/ready',
    summary:
      'Every chain, and every credential outside of one, that is not optional is usable and delivered; 503 otherwise.',
    answers: { 200: 'Ready', 503: 'Ready' },
    handle: ({ daemon }) => readyReply(daemon),
  },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'Figures in the text format of Prometheus; docs/metrics.md has them all.',
    answers: { 200: 'Metrics', 404: 'Error' },
    answersAs: 'text',
    handle: exposeMetrics,
  },
];

async function readOneToken(context: ApiContext, request: ApiRequest): Promise<Reply> {
  const { min_valid_seconds, wait_seconds, after_generation, consumer } = request.query;
  const { credential } = request;
  noteConsumer(context, { credential, consumer, sent: null, acknowledged: after_generation ?? null });
  const demand = {
    minValidMs: min_valid_seconds === undefined ? null : min_valid_seconds * 1000,
    afterGeneration: after_generation ?? null,
    waitMs: (wait_seconds ?? 0) * 1000,
    asText: request.acceptsText,
  };
  const reply = await context.tokens.read(credential, demand, request);
  if (reply.status === 200) context.figures.noteRead(credential);
  // Of a chain, a longer life may have been asked of a member whose generation is not the chain's.
  const isItsOwn = min_valid_seconds === undefined || context.daemon.chains.state(credential) === undefined;
  const sent = reply.status === 200 && isItsOwn ? presentGeneration(context.daemon, credential) : null;
  if (sent !== null) noteConsumer(context, { credential, consumer, sent, acknowledged: null });
  return reply;
}

function noteConsumer(
  { daemon, consumers }: ApiContext,
  note: { credential: string; consumer: string | undefined; sent: number | null; acknowledged: number | null },
): void {
  const { credential, consumer, sent, acknowledged } = note;
  const generation = (daemon.state(credential) ?? daemon.chains.state(credential))?.generation;
  // One that never existed is no sign of having anything.
  const isKnown = generation !== undefined && (acknowledged === null || acknowledged <= generation);
  if (consumer !== undefined && isKnown) consumers.noteRead(consumer, credential, { sent, acknowledged });
}

function subscribe({ daemon, events }: ApiContext, request: ApiRequest): Reply | Takeover {
  const { credential: names, consumer = null, observer: isObserver = false } = request.query;
  const { asker, lastEventId } = request;
  const refusal = refusalToTell(daemon, names ?? [], { asker, isBack: lastEventId !== undefined });
  if (refusal !== null) return refusal;
  const subscription = {
    asker,
    consumer,
    isObserver,
    names: names === undefined ? null : new Set(names),
    lastEventId,
  };
  return { takeOver: (socket) => (events.subscribe(socket, subscription) ? null : tooManySubscribers()) };
}

/**
 * Why these names cannot be told of. Whoever comes back had them all: what a reload has taken from it since does not shut it
 * out from the others.
 */
function refusalToTell(
  daemon: DaemonPort,
  names: readonly string[],
  { asker, isBack }: Pick<ApiRequest, 'asker'> & { readonly isBack: boolean },
): Reply | null {
  const reads = names.map((name) => ({ name, read: readNamed(daemon, name) }));
  const unknown = reads.filter(({ read }) => read === null);
  const denied = reads.flatMap(({ name, read }) => refusalOf(daemon, { name, read, asker }) ?? []);
  if (isBack && unknown.length + denied.length < names.length) return null;
  if (unknown[0] !== undefined) return unknownCredential(daemon, unknown[0].name);
  if (denied[0] === undefined) return null;
  const { credential, denial } = denied[0];
  asker.noteDenied(credential, denial);
  return notAllowed(credential, denial);
}

function report(context: ApiContext, { credential: name, ...request }: ApiRequest): Reply | Promise<Reply> {
  const waitMs = (request.query.wait_seconds ?? 0) * 1000;
  return reportRejection(context, { ...request, name, body: request.body as RejectionBody, waitMs });
}

function describeOne({ daemon, consumers }: ApiContext, request: ApiRequest): Reply | Promise<Reply> {
  const chain = chainDetailBody(daemon, request.credential, consumers);
  if (chain !== null) return success(200, chain);
  return withState(daemon, request, (state) => success(200, credentialDetailBody(daemon, state, consumers)));
}

async function exposeMetrics({ figures }: ApiContext): Promise<Reply> {
  const exposition = await figures.expose();
  if (exposition === null) return refused(404, { error: 'not_found', error_description: 'no figures are kept here' });
  const { text: body, contentType } = exposition;
  return { ...success(200, body), contentType };
}

function liveReply(daemon: DaemonPort): Reply {
  const body = liveBody(daemon);
  return { status: body.status === 'live' ? 200 : 503, body, retryAfterSeconds: null };
}

function readyReply(daemon: DaemonPort): Reply {
  const body = readyBody(daemon);
  return { status: body.ready ? 200 : 503, body, retryAfterSeconds: null };
}

function requestRefresh({ daemon }: ApiContext, request: ApiRequest): Reply | Promise<Reply> {
  return withState(daemon, request, (before) => {
    const { credential } = request;
    const force = (request.body as { force?: boolean } | null | undefined)?.force ?? false;
    const now = daemon.now();
    daemon.dispatch(credential, { type: 'refresh_requested', cause: 'operator', force });
    const outcome = requestOutcome(before, daemon.state(credential) ?? before, now);
    return success(202, outcomeOnWire(credential, outcome, daemon.remedy(credential), now));
  });
}

async function reload({ daemon }: ApiContext): Promise<Reply> {
  const result = await daemon.reload();
  if (result.ok) return success(200, { added: result.added, changed: result.changed, removed: result.removed });
  return refused(422, {
    error: 'invalid_configuration',
    error_description: `the old configuration stays in force; problems: ${result.problems.length}; correct them and reload again`,
    problems: result.problems,
  });
}

function withState(
  daemon: DaemonPort,
  request: ApiRequest,
  handle: (state: CredentialState) => Reply | Promise<Reply>,
): Reply | Promise<Reply> {
  const state = daemon.state(request.credential);
  return state === undefined ? unknownCredential(daemon, request.credential) : handle(state);
}
