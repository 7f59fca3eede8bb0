/** A daemon's surroundings for the system tests: a real authorization server, a configuration, a stored login. */
import { resolve } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import {
  type AuthorizationServer,
  type DemoTokenResponse,
  startAuthorizationServer,
} from '../../scripts/demo-authorization-server.js';
import type { LogRecord, Workshop } from './workshop.ts';

const SECONDS_PER_MINUTE = 60;
export const minutes = (seconds: number) => seconds / SECONDS_PER_MINUTE;

export async function startServer(lifeSeconds: number): Promise<AuthorizationServer> {
  const server = await startAuthorizationServer({ lifeSeconds });
  onTestFinished(() => server.close());
  return server;
}

const DEFAULTS = {
  retryIntervalMinutes: minutes(0.4),
  activeRecoveryIntervalMinutes: minutes(0.6),
  minRefreshIntervalSeconds: 0.2,
  maxAttemptsPerHour: 36_000,
  storeCheckSeconds: 0.3,
  refreshTimeoutSeconds: 20,
  killGraceSeconds: 0.5,
  settleSeconds: 0.1,
  jitterPercent: 0,
};

export function demo(server: AuthorizationServer, changes: object = {}) {
  return {
    store: { format: 'token-response', path: 'demo.json' },
    refresh: {
      command: [resolve('scripts/refresh-demo.sh')],
      input: 'token',
      environment: { FRESHD_DEMO_TOKEN_ENDPOINT: server.tokenEndpoint },
    },
    publish: [{ envFile: '.env', variable: 'DEMO_TOKEN' }],
    ...changes,
  };
}

export function configure(workshop: Workshop, credentials: object, defaults: object = {}, others: object = {}): void {
  workshop.write('config.json', {
    stateDirectory: 'state',
    socket: { path: 'freshd.sock' },
    defaults: { ...DEFAULTS, ...defaults },
    alerts: { sinks: [{ type: 'log' }] },
    ...others,
    credentials,
  });
}

export function seed(workshop: Workshop, server: AuthorizationServer, ageSeconds = 0): DemoTokenResponse {
  const obtainedAt = Math.floor(Date.now() / 1_000) - ageSeconds;
  const response = server.seed();
  workshop.write('demo.json', { ...response, obtained_at: obtainedAt });
  return response;
}

export const stored = (workshop: Workshop): Record<string, unknown> => JSON.parse(workshop.read('demo.json'));
export const refreshed = ({ event }: LogRecord) => event === 'refresh_succeeded';
export const is = (event: string) => (record: LogRecord) => record.event === event;
export const alertsOf = (records: readonly LogRecord[]) => records.filter(is('alert')).map(({ kind }) => kind);

/** Until files show it: they follow the log within moments. */
export async function eventually(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await pass(20);
}
