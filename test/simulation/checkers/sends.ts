/**
 * What is sent to the authorization servers: never a token whose successor is recorded here (I1), never two at once (I2).
 */
import type { Trip } from '../network.ts';
import type { RefreshToken } from '../servers/grants.ts';
import type { World } from '../world.ts';
import { isForgotten, isRecorded, storedTokens } from './records.ts';

export function watchSends(world: World): void {
  /** Successors that freshd's store held while the daemon was up and well: it cannot have forgotten those. */
  const settled = new Set<string>();

  world.on.trip.push((trip) => {
    if (trip.by !== 'freshd' || trip.end !== 'under_way') return;
    const token = trip.server.grants.findRefresh(trip.refreshToken);
    if (token === null) {
      world.fail('no bug', `${trip.server.name}: sent a refresh token that no server ever gave`);
      return;
    }
    judgeSuccessors(world, trip, token, settled);
    judgeOverlap(world, trip);
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
  // What another program was given for it is not for us to know, nor that what we hold comes from there.
  const { tokens } = token.family;
  const handedOn = tokens.findIndex(({ index, spent }) => index >= token.index && spent?.by !== 'freshd');
  const ours = tokens.slice(token.index + 1, handedOn === -1 ? tokens.length : handedOn + 1);
  const recorded = ours.find(({ text }) => isRecorded(world, server.name, text));
  if (recorded !== undefined) {
    world.fail('I1', `${server.name}: sent token ${token.index}, although its successor ${recorded.index} is recorded`);
  }
  const known = ours.find(({ text }) => settled.has(text));
  if (known !== undefined && !isForgotten(world, server.name, token)) {
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
