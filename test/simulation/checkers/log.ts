/**
 * What must never stand in a log: bugs, and secrets (I7, I9).
 */
import type { World } from '../world.ts';

export function watchLog(world: World): void {
  world.on.log.push((_, event, fields) => {
    const rule = BUGS.get(event);
    if (rule !== undefined) world.fail(rule, `${event} ${JSON.stringify(fields)}`);
    if (SECRET.test(JSON.stringify(fields))) world.fail('I7', `a token in the log: ${event} ${JSON.stringify(fields)}`);
  });
}

/** Which rule each breaks. */
const BUGS: ReadonlyMap<string, string> = new Map([
  ['internal_error', 'no bug'],
  ['step_threw', 'no bug'],
  ['listener_threw', 'no bug'],
  ['deadline_broken', 'I9'],
  ['crashed', 'no bug'],
]);

/** As the simulated servers make their tokens. */
export const SECRET = /\b[ar]t-\d+-\d+-[0-9a-f]{8,}/;
