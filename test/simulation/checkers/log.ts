/**
 * What must never stand in a log: bugs, and secrets (I7, I9).
 */
import type { World } from '../world.ts';

export function watchLog(world: World): void {
  world.on.log.push((_, event, fields) => {
    if (BUGS.has(event)) world.fail('no bug', `${event} ${JSON.stringify(fields)}`);
    if (SECRET.test(JSON.stringify(fields))) world.fail('I7', `a token in the log: ${event} ${JSON.stringify(fields)}`);
  });
}

const BUGS: ReadonlySet<string> = new Set([
  'internal_error',
  'step_threw',
  'listener_threw',
  'deadline_broken',
  'crashed',
]);

/** As the simulated servers make their tokens. */
export const SECRET = /\b[ar]t-\d+-\d+-[0-9a-f]{8,}/;
