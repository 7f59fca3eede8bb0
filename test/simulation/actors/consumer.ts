/**
 * Consumers: programs that read tokens, use them, and report what was refused.
 *
 * Rule: most follow the rules: they read before each use, wait when they can, and report a 401 with the generation they had.
 */
import type { Reply } from '../../../src/api/reply.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';

/** What a consumer was given, for the checkers. */
export interface Read {
  readonly credential: string;
  readonly accessToken: string;
  readonly generation: number;
  /** As the answer says. */
  readonly isDurable: boolean;
}

export function startConsumer(world: World, plan: CredentialPlan, tell: (read: Read) => void): void {
  const { scheduler } = world;
  const { name, consumerMeanMs, patience } = plan;
  const random = world.random.stream(`consumer ${name}`);

  const next = (): void => {
    scheduler.schedule({
      owner: world.init,
      delayMs: random.exponential(consumerMeanMs),
      label: `consumer ${name}`,
      run: come,
    });
  };
  const again = (): void => {
    scheduler.schedule({ owner: world.init, delayMs: AGAIN_MS, label: `consumer ${name} again`, run: ask });
  };
  const come = (): void => {
    next();
    ask();
  };
  const ask = (): void => {
    const { life } = world;
    // A request over the socket: a turn of the daemon's own.
    if (life?.running != null)
      scheduler.schedule({ owner: life.owner, delayMs: random.next(), label: `read ${name}`, run: read });
  };
  const read = (): void => {
    const running = world.life?.running;
    if (running == null) return;
    const waitMs = random.chance(patience) ? WAIT_MS : 0;
    if (waitMs > 0) for (const hear of world.on.asked) hear(name);
    const minValidMs = random.chance(0.05) ? random.logarithmic(1_000, 3_600_000) : null;
    const demand = { minValidMs, afterGeneration: null, waitMs, asText: false };
    const reply = running.reader.read(name, demand, READER);
    if (reply instanceof Promise) void reply.then(use);
    else use(reply);
  };
  const use = ({ status, body }: Reply): void => {
    if (status === 503 && patience === 1) again();
    if (status !== 200 || typeof body !== 'object') return;
    const answer = body as { access_token: string; generation: number; durable?: boolean };
    const { access_token: accessToken, generation } = answer;
    tell({ credential: name, accessToken, generation, isDurable: answer.durable !== false });
    const server = world.server(name);
    const isRefused = !server.grants.isGood(accessToken, scheduler.now);
    if (!isRefused && !random.chance(plan.falseReports)) return;
    const daemon = world.life?.running?.daemon;
    const peer = `consumer:${random.below(3)}`;
    daemon?.dispatch(name, { type: 'rejection_reported', generation, peer });
  };
  next();
}

const WAIT_MS = 30_000;

// Whoever needs a token goes on asking.
const AGAIN_MS = 20_000;

/** It never hangs up, and nothing is forbidden to it. */
export const READER = {
  asker: { denialOf: () => null, noteDenied: () => undefined, noteRead: () => undefined },
  onGone: () => undefined,
};
