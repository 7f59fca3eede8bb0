/**
 * All checkers of a world.
 */
import type { Read } from '../actors/consumer.ts';
import type { World } from '../world.ts';
import { Calm } from './calm.ts';
import { watchCore } from './core.ts';
import { watchLeftovers } from './leftovers.ts';
import { watchLiveness } from './liveness.ts';
import { watchLog } from './log.ts';
import { watchLosses } from './losses.ts';
import { watchPace } from './pace.ts';
import { watchReads } from './reads.ts';
import { watchReports } from './reports.ts';
import { watchSends } from './sends.ts';

/** @returns `read`: to be told of each token that a consumer was given */
export function watchEverything(world: World): { readonly calm: Calm; readonly read: (read: Read) => void } {
  const calm = new Calm(world);
  watchLog(world);
  watchCore(world);
  watchSends(world);
  watchPace(world);
  watchLiveness(world, calm);
  watchLosses(world);
  watchReports(world);
  watchLeftovers(world, calm);
  return { calm, read: watchReads(world, calm) };
}
