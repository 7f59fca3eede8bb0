/**
 * What can be expected of the numbers of generations.
 */
import type { World } from '../world.ts';

/**
 * Given while the clock ran ahead. Should a crash take the memory of it, and the clock be put right, then nobody can know that
 * it was given; only while the clocks are right does the epoch second stand above all that was.
 */
export function isFromFuture({ machine }: World, generation: number): boolean {
  return generation > machine.trueWallMs() / 1000;
}
