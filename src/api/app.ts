/**
 * The HTTP application: the route table on fastify, with one shape for every error.
 *
 * Rule: no decision of its own; it validates, hands over to the route, and writes the reply down.
 */
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { LogPort } from '../daemon/ports.ts';
import type { Access } from './access.ts';
import { JSON_TYPE, TEXT_TYPE, wantsText } from './fast-read.ts';
import { openApiDocument } from './openapi.ts';
import type { Operators } from './operators.ts';
import { type ErrorCode, PATHS } from './protocol.ts';
import { type Reply, refused, type Takeover, tooManyRequests } from './reply.ts';
import { type ApiContext, type ApiRequest, ROUTES, type Route } from './routes.ts';
import { CALL_COST } from './throttle.ts';
import { createTokenReader } from './tokens.ts';
import type { Waiting } from './waiting.ts';

export interface AppParts extends Pick<ApiContext, 'daemon' | 'events' | 'consumers' | 'figures'> {
  readonly waiting: Waiting;
  readonly access: Access;
  readonly operators: Operators;
  readonly log: LogPort;
}

/** @returns an application that is ready to route; the caller listens */
export async function createApp({ waiting, access, operators, log, ...parts }: AppParts): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    frameworkErrors: (_error, request, reply) =>
      void send(
        reply,
        refusedAs(
          400,
          'invalid_request',
          `path: expected percent-encoded UTF-8, got ${request.raw.url?.slice(0, 200)}`,
        ),
      ),
    ajv: { customOptions: { removeAdditional: false, allErrors: false } },
  });
  acceptJsonUnderAnyName(app);
  app.setErrorHandler((error: FastifyError, request, reply) => send(reply, replyToError(error, request, log)));
  app.setNotFoundHandler((request, reply) =>
    send(
      reply,
      refused(404, {
        error: 'not_found',
        error_description: `no such call: ${request.method} ${request.url.slice(0, 200)}; GET ${PATHS.openapi} lists them`,
      }),
    ),
  );

  const { daemon } = parts;
  const context: ApiContext = { ...parts, tokens: createTokenReader(daemon, waiting) };
  app.addHook('onRequest', async (request, reply) => {
    const waitMs = access.asker(request.raw.socket).charge(CALL_COST, daemon.now().monotonicMs);
    return waitMs === null ? undefined : send(reply, tooManyRequests(waitMs));
  });
  for (const route of ROUTES) addRoute(app, route, { context, access, operators });
  app.get(PATHS.openapi, () => openApiDocument(ROUTES, daemon.version));
  await app.ready();
  return app;
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  { context, access, operators }: Pick<AppParts, 'access' | 'operators'> & { readonly context: ApiContext },
): void {
  app.route({
    method: route.method,
    url: route.path,
    schema: {
      ...(route.params === undefined ? {} : { params: route.params }),
      ...(route.query === undefined ? {} : { querystring: route.query }),
      ...(route.body === undefined ? {} : { body: route.body }),
    },
    // A head says how long its body is, and a stream has no length.
    exposeHeadRoute: route.answersAs !== 'events',
    handler: async (request, reply) => {
      const refusal = route.isForOperators === true ? operators.refusalFor(request.raw.socket) : null;
      if (refusal !== null) return send(reply, refusal);
      const result = await route.handle(context, apiRequest(request, reply, access));
      return 'takeOver' in result ? handOver(reply, result) : send(reply, result);
    },
  });
}

function handOver(reply: FastifyReply, { takeOver }: Takeover): FastifyReply {
  const { socket } = reply.raw;
  // An answer before it is still being written: a client that sends its requests at once, on one connection.
  const isFree = socket !== null && socket.writableLength === 0;
  const refusal = isFree
    ? takeOver(socket)
    : refusedAs(400, 'invalid_request', 'a stream needs a connection of its own');
  return refusal === null ? reply.hijack() : send(reply, refusal);
}

function apiRequest(request: FastifyRequest, reply: FastifyReply, access: Access): ApiRequest {
  const { credential = '' } = request.params as { credential?: string };
  return {
    credential,
    query: request.query as ApiRequest['query'],
    body: request.body,
    lastEventId: lastEventIdIn(request.headers),
    acceptsText: wantsText(request.headers.accept),
    onGone: (leave) => reply.raw.once('close', leave),
    asker: access.asker(request.raw.socket),
  };
}

const lastEventIdIn = ({ 'last-event-id': id }: FastifyRequest['headers']): string | undefined =>
  typeof id === 'string' ? id : undefined;

function send(reply: FastifyReply, { status, body, retryAfterSeconds, contentType }: Reply): FastifyReply {
  reply.code(status).header('cache-control', 'no-store');
  if (retryAfterSeconds !== null) reply.header('retry-after', retryAfterSeconds);
  const isText = typeof body === 'string';
  return reply.type(contentType ?? (isText ? TEXT_TYPE : JSON_TYPE)).send(isText ? body : JSON.stringify(body));
}

/** `curl -d` names its body a form; there is no second format here to confuse JSON with. */
function acceptJsonUnderAnyName(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, undefined);
    else parseJson(request, String(text), done);
  });
}

function replyToError(error: FastifyError, request: FastifyRequest, log: LogPort): Reply {
  const status = error.statusCode ?? 500;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return refusedAs(413, 'request_too_large', `body: expected at most ${BODY_BYTES_MAX} bytes`);
  }
  if (error.validation !== undefined) return refusedAs(400, 'invalid_request', `${error.message}`);
  if (status < 500) return refusedAs(status, 'invalid_request', 'expected a JSON object as body, or none');
  // The message of an unforeseen error may quote anything, so only its name and the route are written down.
  log.write('error', 'api_error', {
    name: error.name,
    code: error.code ?? null,
    route: request.routeOptions.url ?? null,
  });
  return refusedAs(500, 'server_error', 'a bug in freshd; the log has an api_error record');
}

const refusedAs = (status: number, error: ErrorCode, description: string): Reply =>
  refused(status, { error, error_description: description });

/** A report of a rejection with 16 KiB of what the server said fits four times; nothing else comes near. */
const BODY_BYTES_MAX = 64 * 1024;
