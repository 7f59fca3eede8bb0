/**
 * Brings every credential to rest at a stop: what runs is finished, nothing new begins.
 *
 * Rule: bounded by the longest run that the policies allow; a credential that does not come to rest is said, not waited for.
 */
import type { Policy } from '../core/policy.ts';
import type { Engine } from './engine.ts';
import type { LogPort } from './ports.ts';
import { within } from './time-limit.ts';

export interface ComeToRestOptions {
  readonly engine: Engine;
  readonly policies: readonly Policy[];
  readonly log: LogPort;
}

export async function comeToRest({ engine, policies, log }: ComeToRestOptions): Promise<void> {
  const names = engine.names();
  const resting = atRest(engine, names);
  for (const name of names) engine.dispatch(name, { type: 'stopping' });
  const outcome = await within(resting, restMsMax(policies));
  if (outcome === 'timed_out') log.write('error', 'stop_timed_out', { credentials: names.length });
}

/** How long it can take until all is at rest. */
export const restMsMax = (policies: readonly Policy[]): number =>
  policies.reduce((longestMs, policy) => Math.max(longestMs, runMsMax(policy)), 0) + STOP_SLACK_MS;

function atRest(engine: Engine, names: readonly string[]): Promise<void> {
  const running = new Set(names.filter((name) => engine.state(name)?.phase.kind !== 'stopped'));
  return new Promise((resolve) => {
    if (running.size === 0) resolve();
    engine.onStep((name, { phase }) => {
      if (phase.kind === 'stopped') running.delete(name);
      if (running.size === 0) resolve();
    });
  });
}

const runMsMax = ({ refreshTimeoutMs, killGraceMs }: Policy): number => refreshTimeoutMs + killGraceMs;

// After the longest run: the store poll, and the way through journal and store.
const STOP_SLACK_MS = 5_000;
