/**
 * What freshd has recorded of a credential, as the kernel's image of its disk shows it.
 *
 * Rule: searched as bytes; a journal is mostly zeros, and making text of it costs more than all else that is checked.
 */
import { STATE } from '../scenario.ts';
import type { RefreshToken } from '../servers/grants.ts';
import type { World } from '../world.ts';

/** Whether store or journal hold this token. */
export function isRecorded(world: World, credential: string, token: string): boolean {
  return pathsOf(world, credential).some((path) => world.disk.readBytes(path)?.includes(token) === true);
}

/** Whether a power failure at this moment would leave it for sure. */
export function isDurable(world: World, credential: string, token: string): boolean {
  return pathsOf(world, credential).some((path) => world.disk.durableBytes(path)?.includes(token) === true);
}

/** Whether the journal alone would still hold it after a power failure. */
export function isJournaled(world: World, credential: string, token: string): boolean {
  return world.disk.durableBytes(journalOf(credential))?.includes(token) === true;
}

/** Refresh tokens in the store. */
export function storedTokens(world: World, credential: string): readonly string[] {
  return world.disk.readText(world.plan(credential).storePath)?.match(REFRESH_TOKENS) ?? [];
}

/** A backup from before all that freshd remembers of a credential: its memory is full, and as many tokens were given since. */
export function isForgotten(world: World, credential: string, token: RefreshToken): boolean {
  const memory = world.state(credential)?.superseded.length ?? 0;
  const tokens = world.server(credential).grants.families.flatMap((family) => family.tokens);
  // All of them but the present one have a successor.
  const since = tokens.slice(tokens.indexOf(token) + 1, -1).length;
  return memory >= SUPERSEDED_MAX && since >= SUPERSEDED_MAX;
}

/** As many superseded refresh tokens as freshd remembers of a credential. */
const SUPERSEDED_MAX = 64;

const pathsOf = (world: World, credential: string): readonly string[] => [
  world.plan(credential).storePath,
  journalOf(credential),
];

const journalOf = (credential: string): string => `${STATE}/journal/${credential}.journal`;

const REFRESH_TOKENS = /rt-\d+-\d+-[0-9a-f]+/g;
