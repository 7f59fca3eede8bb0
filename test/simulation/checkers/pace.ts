/**
 * When something is sent: not below the floor, not more often than the budget allows (I6), not while the server asked to
 * wait (F5), what may be spent already not before that has settled (F3), and whoever said that its client is configured wrongly
 * is asked again in hours only (F9).
 *
 * Rule: judged within one life of the daemon, since a crash may cost it its last note; a jump of the clocks forward counts as
 * time that has passed, so nothing is judged across one.
 */
import type { Policy } from '../../../src/core/policy.ts';
import { accessTokenIn } from '../actors/store-file.ts';
import type { Trip } from '../network.ts';
import type { World } from '../world.ts';

interface Sent {
  readonly trip: Trip;
  readonly life: number;
}

interface Limit {
  readonly until: number;
  readonly toldAt: number;
  readonly life: number;
}

export function watchPace(world: World): void {
  const sent = new Map<string, Sent[]>();
  /** Where the last 429 said until when. */
  const asked = new Map<string, number>();
  const limits = new Map<string, Limit>();
  let jumpedAt = Number.NEGATIVE_INFINITY;

  world.on.disturbed.push((credential) => {
    if (credential === null) jumpedAt = world.scheduler.now;
  });
  world.on.request.push((server, _, { answer }) => {
    if ('retry-after' in answer.headers) asked.set(server.name, server.limitedUntil);
    else asked.delete(server.name);
  });
  world.on.trip.push((trip) => {
    if (trip.by !== 'freshd') return;
    const { name } = trip.server;
    if (trip.end === 'under_way') {
      const before = sent.get(name) ?? [];
      judge(trip, before);
      sent.set(name, [...before, { trip, life: world.lives }].slice(-KEPT));
    } else if (trip.end === 'arrived' && trip.status === 429 && asked.has(name)) {
      const until = asked.get(name) ?? 0;
      limits.set(name, { until, toldAt: world.scheduler.now, life: world.lives });
    } else if (trip.end === 'arrived' && hasBroughtToken(trip)) {
      // An operator insisted, and the server served: it asks for no patience any more.
      limits.delete(name);
    }
  });

  function judge(trip: Trip, before: readonly Sent[]): void {
    const policy = world.life?.running?.config.credentials.find(({ name }) => name === trip.server.name)?.policy;
    if (policy === undefined || world.machine.wallAheadMs !== 0) return;
    const last = before.at(-1);
    if (last !== undefined && jumpedAt < last.trip.sentAt - JUMP_NOTICED_MS) {
      if (last.life === world.lives) judgeFloor(trip, last.trip, policy);
      if (last.life === world.lives) judgeProbe(trip, last.trip);
      judgeSettling(trip, last, policy);
    }
    judgeLimit(trip);
    judgeBudget(trip, before, policy);
  }

  function judgeFloor(trip: Trip, before: Trip, policy: Policy): void {
    const sinceMs = trip.sentAt - before.sentAt;
    if (sinceMs < policy.minRefreshIntervalMs - BEGIN_TO_SEND_MS) {
      complain('I6', trip, `${Math.round(sinceMs)} ms after request ${before.number}`);
    }
  }

  function judgeProbe(trip: Trip, before: Trip): void {
    const phase = world.state(trip.server.name)?.phase;
    const sinceMs = trip.sentAt - before.sentAt;
    const isProbe = phase?.kind === 'refreshing' && phase.reason === 'probe';
    if (isProbe && sinceMs < PROBE_MS - CLOCK_NOISE_MS) {
      complain('F9', trip, `to probe, ${Math.round(sinceMs / 1000)} s after request ${before.number}`);
    }
  }

  function judgeSettling(trip: Trip, { trip: before, life }: Sent, policy: Policy): void {
    const isDoubtful = before.end !== 'arrived' || (before.status ?? 0) >= 500;
    if (!isDoubtful || before.refreshToken !== trip.refreshToken || !policy.rotates || policy.resultInStore) return;
    const from = life === world.lives ? before.endedAt : (world.life?.beganAt ?? null);
    if (from !== null && trip.sentAt - from < policy.settleMs - CLOCK_NOISE_MS) {
      complain('F3', trip, `${Math.round(trip.sentAt - from)} ms after the outcome of ${before.number} was in doubt`);
    }
  }

  function judgeLimit(trip: Trip): void {
    const { name } = trip.server;
    const limit = limits.get(name);
    const phase = world.state(name)?.phase;
    // An operator may insist; and a script has no way to hand on what it was asked to wait.
    const isInsisted = phase?.kind === 'refreshing' && phase.reason === 'operator';
    if (limit === undefined || limit.life !== world.lives || isInsisted || world.plan(name).method !== 'oauth') return;
    if (jumpedAt < limit.toldAt && trip.sentAt < limit.until - WHOLE_SECONDS_MS) {
      complain('F5', trip, `${Math.round(limit.until - trip.sentAt)} ms before the end of Retry-After`);
    }
  }

  /**
   * A burst, and what is earned meanwhile; when nothing is left, one in two minutes is still made. The first guarded send of
   * a token is free. Judged over every stretch of time that ends now.
   */
  function judgeBudget(trip: Trip, before: readonly Sent[], policy: Policy): void {
    const { attemptBurst, emptyBudgetWaitMs } = policy.limits;
    const everyMs = Math.min(HOUR_MS / policy.maxAttemptsPerHour, emptyBudgetWaitMs);
    const tokens = new Set<string>();
    let count = 1;
    for (const { trip: one, life } of before.toReversed()) {
      if (life !== world.lives || one.sentAt < Math.max(jumpedAt, trip.sentAt - HOUR_MS)) return;
      if (hasBroughtToken(one)) continue;
      count += 1;
      tokens.add(one.refreshToken);
      const spanMs = trip.sentAt - one.sentAt;
      const most = attemptBurst + Math.ceil((spanMs + BEGIN_TO_SEND_MS) / everyMs) + tokens.size;
      if (count > most) {
        complain('I6', trip, `as the ${count}th in vain within ${Math.round(spanMs / 1000)} s, at most ${most}`);
        return;
      }
    }
  }

  function complain(rule: string, { server, number }: Trip, what: string): void {
    world.fail(rule, `${server.name}: request ${number} was sent ${what}`);
  }
}

const hasBroughtToken = ({ brought }: Trip): boolean => brought !== null && accessTokenIn(brought) !== null;

// From the record of an attempt to its request: a program, its spool, a connection; on a disk that may take seconds.
const BEGIN_TO_SEND_MS = 6_000;

// What a suspend moved is noticed within 30 s, and acted on.
const JUMP_NOTICED_MS = 60_000;

const WHOLE_SECONDS_MS = 1_500;
const CLOCK_NOISE_MS = 50;
const HOUR_MS = 3_600_000;

/** How often a server is asked whether its configuration was put right. Not the daemon's own number: that one is judged. */
export const PROBE_MS = 6 * HOUR_MS;

// More than any budget allows within an hour.
const KEPT = 200;
