/**
 * A real API server on a socket of its own, over a fake daemon, and everything put away again afterwards.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type AccessSources, type ApiServer, startApiServer } from '../../src/api/server.ts';
import { systemTimers, type Timers } from '../../src/api/timers.ts';
import { request, type TransportResponse } from '../../src/client/transport.ts';
import type { MetricsPort } from '../../src/daemon/ports-metrics.ts';
import type { SocketRemoval } from '../../src/daemon/system-ports.ts';
import { createFakeDaemon, createRecordedLog, type FakeDaemon, type RecordedLog } from './fake-daemon.ts';

export interface Arranged {
  readonly daemon: FakeDaemon;
  readonly log: RecordedLog;
  /** What the server told of its socket. */
  readonly removals: readonly SocketRemoval[];
  readonly server: ApiServer;
  readonly socketPath: string;
  readonly timers: TestTimers;
  get(path: string, accept?: 'text/plain'): Promise<TransportResponse>;
  post(path: string, body?: object): Promise<TransportResponse>;
}

/** Waits last only as long as the test says; everything else is real. */
export interface TestTimers extends Timers {
  /** Runs what is done every so often, at once. */
  tick(): void;
  /** Ends every wait of that length, as if its time were up. */
  expire(delayMs: number): void;
  readonly pending: readonly number[];
}

export function createTestTimers(): TestTimers {
  const repeated = new Set<() => void>();
  const waits = new Set<{ delayMs: number; run: () => void }>();
  return {
    after(delayMs, run) {
      // What belongs to sockets must really pass; only the long waits of readers are in the test's hand.
      if (delayMs <= 2_000) return systemTimers.after(delayMs, run);
      const wait = { delayMs, run };
      waits.add(wait);
      return () => waits.delete(wait);
    },
    every(intervalMs, run) {
      if (intervalMs <= 100) return systemTimers.every(intervalMs, run);
      repeated.add(run);
      return () => repeated.delete(run);
    },
    tick: () => {
      for (const run of repeated) run();
    },
    expire(delayMs) {
      for (const wait of [...waits]) {
        if (wait.delayMs === delayMs && waits.delete(wait)) wait.run();
      }
    },
    get pending() {
      return [...waits].map(({ delayMs }) => delayMs);
    },
  };
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-api-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function arrange(
  options: {
    socketPath?: string;
    daemon?: FakeDaemon;
    access?: AccessSources;
    group?: string;
    metrics?: MetricsPort;
  } = {},
): Promise<Arranged> {
  const { daemon = createFakeDaemon(), socketPath = join(temporaryDirectory(), 'run', 'freshd.sock') } = options;
  const { access, group = null, metrics } = options;
  const log = createRecordedLog();
  const timers = createTestTimers();
  const rules = { ...(access === undefined ? {} : { access }), ...(metrics === undefined ? {} : { metrics }) };
  const removals: SocketRemoval[] = [];
  const onSocketRemoved = (removal: SocketRemoval) => void removals.push(removal);
  const server = await startApiServer({ daemon, socketPath, group, log, timers, onSocketRemoved, ...rules });
  onTestFinished(() => server.close());
  return {
    daemon,
    log,
    removals,
    server,
    socketPath,
    timers,
    get: (path, accept) =>
      request({ socketPath, method: 'GET', path, timeoutMs: 10_000, ...(accept === undefined ? {} : { accept }) }),
    post: (path, body) =>
      request({ socketPath, method: 'POST', path, timeoutMs: 10_000, ...(body === undefined ? {} : { body }) }),
  };
}

/** Resolves once `condition` holds; looks again whenever the loop turns. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export const bodyOf = (response: TransportResponse): Record<string, unknown> =>
  JSON.parse(response.text) as Record<string, unknown>;
