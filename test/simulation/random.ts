/**
 * Seeded chance: everything in a simulated world that is not a consequence is drawn here.
 *
 * Rule: each part of the world has a stream of its own, so that a change in one leaves the draws of the others as they are.
 */

export interface Random {
  /** From 0 to below 1. */
  readonly next: () => number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /** Waiting time of something that happens once in `mean` on average. */
  exponential(mean: number): number;
  /** Small as likely as large: evenly over the orders of magnitude. */
  logarithmic(least: number, most: number): number;
  /** Lower case hexadecimal. */
  hex(bytes: number): string;
  /** Another stream, which depends on seed and name only. */
  stream(name: string): Random;
}

export function createRandom(seed: string): Random {
  const next = generator(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  const random: Random = {
    next,
    below,
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    exponential: (mean) => -mean * Math.log(1 - next()),
    logarithmic: (least, most) => least * (most / least) ** next(),
    hex: (bytes) => Array.from({ length: bytes }, () => below(256).toString(16).padStart(2, '0')).join(''),
    stream: (name) => createRandom(`${seed}/${name}`),
  };
  return random;
}

/** sfc32: small, fast, and good enough that no pattern of it meets one of ours. */
function generator(seed: string): () => number {
  let [a, b, c, d] = [hash(seed, 1), hash(seed, 2), hash(seed, 3), 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) next();
  return next;
}

function hash(text: string, salt: number): number {
  let h = Math.imul(salt, 0x9e3779b1) ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

// Seeds that differ in one bit have nothing in common after as many.
const WARM_UP_ROUNDS = 15;
