/**
 * How the runtime weighs memory against speed.
 *
 * Rule: only asked of a process that has its busiest minute behind it; a start would take twice as long.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * From now on the collector gives back what it does not need, some seconds after the process comes to rest. Without this a
 * daemon would keep for hours all that reading its configuration and ten thousand stores once took: at rest it makes too
 * little garbage for a collection.
 */
export function favourMemory(): void {
  // The one flag for this that V8 has always had. So late, nothing but the collector's own decisions heeds it.
  setFlagsFromString('--optimize-for-size');
}
