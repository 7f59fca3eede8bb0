/**
 * The time line of a world: a hash of it always, its lines when somebody wants to read them.
 */
import type { Happening } from './scheduler.ts';
import type { World } from './world.ts';

export function createTrace(print: ((line: string) => void) | null) {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  let count = 0;
  let world: World | null = null;
  const moment = (): string => {
    const seconds = (world?.scheduler.now ?? 0) / 1000;
    const [day, hour, minute] = [seconds / 86_400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
    return `${day}d ${[hour, minute].map((part) => String(part).padStart(2, '0')).join(':')}:${(seconds % 60).toFixed(3).padStart(6, '0')}`;
  };
  const note = (line: string): void => print?.(`${moment()}  ${line}`);
  return {
    note,
    follow(followed: World) {
      world = followed;
    },
    happened({ at, label, owner }: Happening) {
      count += 1;
      mix(Math.floor(at * 1000));
      for (let place = 0; place < label.length; place += 1) mix(label.charCodeAt(place));
      if (print !== null && !QUIET.test(label)) note(`${owner.name}: ${label}`);
    },
    hash: () => [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join(''),
    count: () => count,
  };

  function mix(value: number): void {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ (value + (a >>> 15)), 0x85ebca6b);
  }
}

// What fills a time line without telling anything.
const QUIET =
  /^(?:timer|immediate|wait|minute|time limit|person looks|consumer |(?:open|close|read|f?stat|lstat|readlink|realpath|scandir|watch) )/;
