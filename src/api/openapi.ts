/**
 * The OpenAPI document, assembled from the route table.
 *
 * Rule: nothing is written twice: paths, parameters and bodies come from the schemas that requests are checked by.
 */
import type { Route } from './routes.ts';
import type { Schema } from './schema-parts.ts';
import { RESPONSE_SCHEMAS } from './schemas.ts';

/** @see https://spec.openapis.org/oas/v3.1.0 */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'freshd',
      version,
      description: 'Tokens that stay fresh, over HTTP/1.1 on a Unix socket. Errors have one shape, `Error`.',
    },
    servers: [{ url: 'http://localhost', description: 'On the Unix socket; the host name is ignored.' }],
    paths,
    components: { schemas: RESPONSE_SCHEMAS },
  };
}

function operation(route: Route): object {
  const parameters = [...parametersIn('path', route.params), ...parametersIn('query', route.query)];
  return {
    summary: route.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: route.body } } } }),
    responses: {
      ...responses(route),
      '400': response('Error', STATUS_TEXT[400]),
      '429': response('Error', STATUS_TEXT[429]),
    },
  };
}

function parametersIn(place: 'path' | 'query', schema: Schema | undefined): object[] {
  const properties = (schema?.properties ?? {}) as Record<string, Schema>;
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path',
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function responses(route: Route): Record<string, object> {
  return Object.fromEntries(
    Object.entries(route.answers).map(([status, name]) => {
      const answer = response(name, STATUS_TEXT[Number(status)]);
      return [status, status === '200' ? { ...answer, content: successContent(route, answer.content) } : answer];
    }),
  );
}

function successContent({ answersAs }: Route, content: ReturnType<typeof response>['content']): object {
  switch (answersAs) {
    case 'text':
      return { 'text/plain': content['application/json'] };
    case 'json or text':
      return { ...content, 'text/plain': { schema: { type: 'string' } } };
    case 'events':
      return { 'text/event-stream': content['application/json'] };
    default:
      return content;
  }
}

function response(name: string, description = '') {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'Done.',
  202: 'Taken note of; `outcome` says what came of it.',
  400: 'The request does not fit its schema.',
  403: 'Not for this reader, or not on this socket; `reason` names the rule.',
  404: 'No such credential; `nearest` is the closest name.',
  409: 'A person must act; `remedy` says how.',
  422: 'The new configuration has problems; the old one stays in force.',
  429: 'Too many requests of this reader; `Retry-After` says when to ask again.',
  503: 'Not at the moment; `Retry-After` says when to ask again.',
};
