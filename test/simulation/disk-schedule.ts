/**
 * How the simulated disk is run: how long its operations take, which fail, and in which the daemon dies.
 *
 * Rule: a crash is possible at every operation: before it, in the middle of it, after it.
 */
import type { DiskOptions } from './disk.ts';
import type { DiskOperation } from './disk-operation.ts';
import type { DiskCode } from './scenario.ts';
import type { World } from './world.ts';

export function runOnDisk(world: World): Pick<DiskOptions, 'schedule' | 'fault' | 'onFault'> {
  const random = world.random.stream('disk operations');
  const { scheduler, crashes, scenario, seen } = world;

  const latencyMs = ({ syscall }: DiskOperation): number => {
    if (random.chance(SLOW_SHARE)) return random.logarithmic(50, 5_000);
    return syscall === 'fsync' || syscall === 'fdatasync' ? random.between(0.5, 15) : random.between(0.02, 0.4);
  };

  return {
    schedule: (operation, run) => {
      const { life } = world;
      if (life === null) return;
      const { syscall, path } = operation;
      const label = `${syscall} ${path}`;
      const happen = (): void => {
        const point = `disk ${syscall}`;
        if (!crashes.strikes(point) && !crashes.strikesRare(point)) {
          run();
          return;
        }
        const place = crashes.place();
        seen.died(point, place);
        world.note(`crash ${place} ${label}`);
        if (place !== 'before') operation.partially(place === 'after' ? 1 : random.next());
        world.crash(point);
      };
      scheduler.schedule({ owner: life.owner, delayMs: latencyMs(operation), label, run: happen });
    },
    onFault: (code) => seen.note('disk', code as DiskCode),
    fault: ({ path, destination }) => {
      const { now } = scheduler;
      const spell = scenario.disk.find(
        ({ fromMs, toMs, prefix }) =>
          fromMs <= now && now < toMs && (path.startsWith(prefix) || destination?.startsWith(prefix) === true),
      );
      return spell !== undefined && random.chance(spell.share) ? spell.code : null;
    },
  };
}

const SLOW_SHARE = 0.001;
