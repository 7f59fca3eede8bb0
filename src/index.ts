/**
 * The client library: `import { connect } from 'freshd'`.
 *
 * Rule: the client and its types, nothing else.
 */
export { type Client, type ClientEvents, type ConnectOptions, connect } from './client/client.ts';
export { FreshdError, type FreshdErrorCode } from './client/errors.ts';
export type { FetchInput, FetchOptions } from './client/fetch.ts';
export type { Gate, GateFetch, GateOptions } from './client/gate.ts';
export type { Chain, Phase, Token } from './client/standing.ts';
export type { WaitOptions } from './client/wait.ts';
