/**
 * What is sent to the authorization servers: never a token whose successor is recorded here (I1), never two at once (I2),
 * never blindly again (F3), never too often (I6).
 */
import type { Trip } from '../network.ts';
import type { RefreshToken } from '../servers/grants.ts';
import type { World } from '../world.ts';
import { isRecorded, storedTokens } from './records.ts';

export function watchSends(world: World): void {
  /** Successors that freshd's store held while the daemon was up and well: it cannot have forgotten those. */
  const settled = new Set<string>();
  const last = new Map<string, Trip>();
  let jumpedAt = Number.NEGATIVE_INFINITY;
  world.on.disturbed.push((credential) => {
    if (credential === null) jumpedAt = world.scheduler.now;
  });

  world.on.trip.push((trip) => {
    if (trip.by !== 'freshd' || trip.end !== 'under_way') return;
    const token = trip.server.grants.findRefresh(trip.refreshToken);
    if (token === null) {
      world.fail('no bug', `${trip.server.name}: sent a refresh token that no server ever gave`);
      return;
    }
    judgeSuccessors(world, trip, token, settled);
    judgeOverlap(world, trip);
    const before = last.get(trip.server.name);
    if (before !== undefined && jumpedAt < before.sentAt - JUMP_NOTICED_MS) judgePace(world, trip, before);
    last.set(trip.server.name, trip);
  });

  world.on.minute.push(() => {
    for (const { name } of world.scenario.credentials) {
      const phase = world.state(name)?.phase.kind;
      if (phase !== 'fresh') continue;
      for (const text of storedTokens(world, name)) settled.add(text);
    }
  });
}

function judgeSuccessors(world: World, { server }: Trip, token: RefreshToken, settled: ReadonlySet<string>): void {
  // What another program was given for it is not for us to know.
  const ours = token.family.tokens.filter(
    ({ index }) => index > token.index && token.family.tokens[index - 1]?.spent?.by === 'freshd',
  );
  const recorded = ours.find(({ text }) => isRecorded(world, server.name, text));
  if (recorded !== undefined) {
    world.fail('I1', `${server.name}: sent token ${token.index}, although its successor ${recorded.index} is recorded`);
  }
  const known = ours.find(({ text }) => settled.has(text));
  if (known !== undefined) {
    world.fail('I1', `${server.name}: sent token ${token.index}, although it had held successor ${known.index}`);
  }
}

function judgeOverlap(world: World, { server, number }: Trip): void {
  const other = world.network.trips.find(
    (trip) =>
      trip.number !== number &&
      trip.server === server &&
      trip.by === 'freshd' &&
      trip.end === 'under_way' &&
      trip.owner.isAlive,
  );
  if (other !== undefined)
    world.fail('I2', `${server.name}: request ${number} was sent while ${other.number} was under way`);
}

/** Within one life the floor holds; over restarts the memory may be one attempt behind. */
function judgePace(world: World, trip: Trip, before: Trip): void {
  if (before.owner !== trip.owner || world.machine.wallAheadMs !== 0) return;
  const policy = world.life?.running?.config.credentials.find(({ name }) => name === trip.server.name)?.policy;
  if (policy === undefined) return;
  const sinceMs = trip.sentAt - before.sentAt;
  if (sinceMs < policy.minRefreshIntervalMs - PACE_SLACK_MS) {
    world.fail(
      'I6',
      `${trip.server.name}: requests ${before.number} and ${trip.number} are ${Math.round(sinceMs)} ms apart`,
    );
  }
}

// From the beginning of an attempt to its request: lock, store, journal, connection.
const PACE_SLACK_MS = 2_000;

const JUMP_NOTICED_MS = 60_000;
