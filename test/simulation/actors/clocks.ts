/**
 * What happens to the machine's time: it sleeps, it stalls, its clock is set.
 *
 * Rule: a wrong clock is put right again after a while, as time servers do.
 */
import type { World } from '../world.ts';

export function startClocks(world: World): void {
  const { scheduler, machine, scenario, outside } = world;
  const { clockMeanMs } = scenario;
  if (clockMeanMs === null) return;
  const random = world.random.stream('clocks');

  const next = (): void => {
    scheduler.schedule({ owner: outside, delayMs: random.exponential(clockMeanMs), label: 'clock', run });
  };
  const run = (): void => {
    next();
    const act = random.pick(['suspend', 'suspend', 'stall', 'set'] as const);
    if (act === 'suspend') suspend(random.logarithmic(5_000, 10 * HOUR_MS));
    else if (act === 'stall') stall(random.logarithmic(500, 20 * 60_000));
    else set();
  };
  const suspend = (durationMs: number): void => {
    world.seen.note('clock', 'suspend');
    world.note(`suspend ${Math.round(durationMs)} ms`);
    machine.suspend(durationMs);
    disturb('suspend');
    scheduler.schedule({ owner: world.init, delayMs: 0, label: 'resume', run: () => disturb('resume') });
  };
  const stall = (durationMs: number): void => {
    const { life } = world;
    if (life === null) return;
    world.seen.note('clock', 'stall');
    world.note(`stall ${Math.round(durationMs)} ms`);
    scheduler.stall(life.owner, durationMs);
    disturb('stall');
    scheduler.schedule({
      owner: world.init,
      delayMs: durationMs,
      label: 'end of stall',
      run: () => disturb('end of stall'),
    });
  };
  const set = (): void => {
    const far = random.chance(0.1) ? random.pick([10 * YEAR_MS, -machine.wallMs()]) : null;
    const byMs = far ?? random.logarithmic(500, 10 * HOUR_MS) * random.pick([1, -1]);
    world.seen.note('clock', far !== null ? 'set far away' : byMs > 0 ? 'set forward' : 'set back');
    world.note(`clock set by ${Math.round(byMs)} ms`);
    machine.setWall(machine.wallAheadMs + byMs);
    disturb('clock set');
    const backMs = random.logarithmic(60_000, 6 * HOUR_MS);
    scheduler.schedule({ owner: outside, delayMs: backMs, label: 'clock right', run: right });
  };
  const right = (): void => {
    world.seen.note('clock', 'put right');
    machine.setWall(0);
    disturb('clock right');
  };
  const disturb = (what: string): void => world.tell('disturbed', null, what);
  next();
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
