/**
 * A consumer that reads a chain, and does not care which member it is served by.
 *
 * Rule: as consumer.ts; a 401 is reported of the member that the generation stood for.
 */
import type { Reply } from '../../../src/api/reply.ts';
import type { ChainPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import { READER } from './consumer.ts';

/** What was answered, for the checkers. */
export interface ChainRead {
  readonly status: number;
  /** Null without a token. */
  readonly given: { readonly accessToken: string; readonly generation: number; readonly credential: string } | null;
}

export function startChainConsumer(world: World, plan: ChainPlan, tell: (read: ChainRead) => void): void {
  const { scheduler, init } = world;
  const random = world.random.stream('chain consumer');
  const label = `consumer ${plan.name}`;

  const next = (): void => {
    scheduler.schedule({ owner: init, delayMs: random.exponential(plan.consumerMeanMs), label, run: come });
  };
  const come = (): void => {
    next();
    const { life } = world;
    if (life?.running != null) scheduler.schedule({ owner: life.owner, delayMs: random.next(), label, run: read });
  };
  const read = (): void => {
    const running = world.life?.running;
    if (running == null) return;
    const waitMs = random.chance(0.2) ? WAIT_MS : 0;
    const demand = { minValidMs: null, afterGeneration: null, waitMs, asText: false };
    const reply = running.reader.read(plan.name, demand, READER);
    if (reply instanceof Promise) void reply.then(use);
    else use(reply);
  };
  const use = ({ status, body }: Reply): void => {
    const answer = (status === 200 ? body : null) as { access_token: string; generation: number; credential: string };
    if (answer === null) {
      tell({ status, given: null });
      return;
    }
    const { access_token: accessToken, generation, credential } = answer;
    tell({ status, given: { accessToken, generation, credential } });
    if (world.server(credential).grants.isGood(accessToken, scheduler.now)) return;
    const daemon = world.life?.running?.daemon;
    const binding = daemon?.chains.state(plan.name)?.bindings.find((one) => one.generation === generation);
    if (binding === undefined) return;
    daemon?.dispatch(credential, { type: 'rejection_reported', generation: binding.of, peer: 'consumer:chain' });
  };
  next();
}

const WAIT_MS = 30_000;
