/**
 * Families that died of a token sent twice: only where the answer was lost on its way into our records, and then said so
 * (F3, F33, F78).
 */
import { accessTokenIn, membersOf } from '../actors/store-file.ts';
import type { CrashKind } from '../crashes.ts';
import type { Trip } from '../network.ts';
import type { Family } from '../servers/grants.ts';
import type { AuthorizationServer } from '../servers/server.ts';
import type { World } from '../world.ts';
import { isForgotten } from './records.ts';

export function watchLosses(world: World): void {
  const downs: { readonly at: number; readonly kind: CrashKind | 'stopped' }[] = [];
  /** Answers that reached the daemon or its script whole. */
  const grants = new Map<Trip, number>();
  const judged = new Set<Family>();

  world.on.down.push((kind) => void downs.push({ at: world.scheduler.now, kind }));
  world.on.trip.push((trip) => {
    if (trip.by === 'freshd' && trip.end === 'arrived' && trip.brought !== null && isGrant(trip.brought)) {
      grants.set(trip, world.scheduler.now);
    }
  });
  world.on.request.push((server) => {
    for (const family of server.grants.families) {
      if (family.revoked === null || judged.has(family)) continue;
      judged.add(family);
      judgeLoss(server, family);
    }
  });

  function judgeLoss(server: AuthorizationServer, { revoked }: Family): void {
    if (revoked?.cause.kind !== 'reuse') return;
    const { token, by } = revoked.cause;
    if (by === 'foreign' || token.spent?.by !== 'freshd') return;
    // Somebody brought a backup back from before all that freshd remembers.
    if (isForgotten(world, server.name, token)) return;
    const reuse = world.network.trips.find(
      ({ takenAt, refreshToken }) => takenAt === world.scheduler.now && refreshToken === token.text,
    );
    const first = world.network.trips.filter(({ spending }) => spending === token.spent);
    for (const trip of first) {
      const arrivedAt = grants.get(trip);
      if (arrivedAt === undefined) continue;
      // On its way already when the answer came: its sender had given it up, and no settling is long enough for all queues.
      if (reuse !== undefined && reuse.sentAt < arrivedAt) continue;
      // It was in our hands. Only an end of the machine or the process before the record excuses its loss.
      const end = downs.find(({ at }) => at >= arrivedAt);
      const isOurs = trip.owner.name.startsWith('freshd');
      const untilEndMs = (end?.at ?? Number.POSITIVE_INFINITY) - arrivedAt;
      const isDiskBad = world.scenario.disk.some(
        ({ fromMs, toMs }) => fromMs <= arrivedAt + RECORD_MS && toMs >= arrivedAt,
      );
      if (untilEndMs > RECORD_MS && isOurs && !isDiskBad) {
        world.fail(
          'F33',
          `${server.name}: family lost although answer ${trip.number} came ${Math.round(untilEndMs)} ms before any crash`,
        );
      }
    }
  }

  const isGrant = (body: string): boolean =>
    membersOf(body)?.refresh_token !== undefined || accessTokenIn(body) !== null;
}

// The journal's write and fsync, on a slow disk.
const RECORD_MS = 20_000;
