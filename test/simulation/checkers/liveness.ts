/**
 * While nothing hinders it, the daemon has a usable token, or says that a person must act and is right about it (A5, F67, F79).
 *
 * Rule: what "in time" means is computed from the credential's own limits; what hinders, calm.ts knows.
 */
import type { Policy } from '../../../src/core/policy.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import { accessTokenIn, refreshTokenIn } from '../actors/store-file.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import type { Calm } from './calm.ts';
import { PROBE_MS } from './pace.ts';

export function watchLiveness(world: World, calm: Calm): void {
  /** Since when it has been without a usable token, as far as was looked. */
  const downSince = new Map<string, number>();
  const limitedAt = new Map<string, number>();
  const sentAt = new Map<string, number>();
  /** When somebody waited for it, since it was last usable; whoever is patient asks again and again. */
  const asks = new Map<string, number[]>();
  world.on.asked.push((credential) => {
    asks.set(credential, [...(asks.get(credential) ?? []), world.scheduler.now]);
  });
  // Nobody answers who asks now, and nobody asks again but in his own time.
  world.on.down.push(() => asks.clear());
  world.on.request.push(({ name }, { by }, { answer }) => {
    if (by === 'freshd' && answer.status === 429) limitedAt.set(name, world.scheduler.now);
  });

  world.on.trip.push(({ by, server, end }) => {
    if (by === 'freshd' && end === 'under_way') sentAt.set(server.name, world.scheduler.now);
  });

  world.on.minute.push(() => {
    const running = world.life?.running;
    if (running == null) return;
    const now = running.daemon.now();
    for (const plan of world.scenario.credentials) {
      const state = world.state(plan.name);
      if (state === null) continue;
      const isUsable = running.readToken(state, now).kind === 'token';
      // Whoever waits for a person is not waited for; the time begins when it goes on.
      const isLatched = state.phase.kind === 'reauthorization_required';
      if (isUsable || isLatched) {
        downSince.delete(plan.name);
        asks.delete(plan.name);
      }
      const from = Math.max(downSince.get(plan.name) ?? world.scheduler.now, calm.since(plan.name));
      if (!isUsable && !isLatched && !downSince.has(plan.name)) downSince.set(plan.name, world.scheduler.now);
      const isLimited = limitedAt.has(plan.name);
      if (isUsable) limitedAt.delete(plan.name);
      const asked = asks.get(plan.name)?.find((at) => at >= from);
      const waits = [{ since: from, boundMs: boundOf(state.policy, { isWaitedFor: false }) }];
      if (asked !== undefined && plan.patience === 1 && !isLimited) {
        waits.push({ since: asked, boundMs: boundOf(state.policy, { isWaitedFor: true }) });
      }
      for (const { since, boundMs } of isUsable ? [] : waits) {
        const forMs = world.scheduler.now - since;
        if (forMs > boundMs) judgeDown(world, plan, state, { forMs, boundMs, jumpedAt: calm.jumpedAt() });
      }
      judgeProbe(world, state, { calm, sentAt: sentAt.get(plan.name) ?? 0 });
      judgeLatch(world, plan, state, calm);
    }
  });
}

/** Reasons why a person must act are believed here, and judged below. */
function judgeDown(
  world: World,
  plan: CredentialPlan,
  { phase, lastFailure }: CredentialState,
  { forMs, boundMs, jumpedAt }: { readonly forMs: number; readonly boundMs: number; readonly jumpedAt: number },
): void {
  if (phase.kind === 'reauthorization_required') return;
  const store = world.disk.readText(plan.storePath) ?? '';
  const { grants } = world.server(plan.name);
  const access = accessTokenIn(store);
  const refresh = grants.findRefresh(refreshTokenIn(store) ?? '');
  const isGoodInStore = access !== null && grants.isGood(access, world.scheduler.now);
  // A jump of the clocks forward counts as lived through; whoever may only watch cannot have that life again.
  const isAged = (grants.findAccess(access ?? '')?.givenAt ?? 0) < jumpedAt;
  const canRefresh = plan.method !== 'follow' && refresh !== null;
  if (!canRefresh && (!isGoodInStore || isAged)) return;
  world.fail(
    'liveness',
    `${plan.name} (${plan.method}): no usable token for ${seconds(forMs)}, at most ${seconds(boundMs)} expected; ` +
      `it is ${phase.kind}, the last failure was ${lastFailure?.code}`,
  );
}

/** Whoever says that a person must act has to be right: a grant that the server takes is no reason to ask for a login. */
function judgeLatch(world: World, plan: CredentialPlan, state: CredentialState, calm: Calm): void {
  const { phase, policy, superseded } = state;
  if (phase.kind !== 'reauthorization_required') return;
  if (phase.reason === 'config') return;
  // A restored backup is for a person to judge (F80).
  if (phase.code === 'superseded_grant' && superseded.length > 0) return;
  const store = world.disk.readText(plan.storePath) ?? '';
  const refresh = world.server(plan.name).grants.findRefresh(refreshTokenIn(store) ?? '');
  const isTaken = refresh !== null && refresh.family.revoked === null && refresh.spent === null;
  const forMs = calm.forMs(plan.name);
  if (isTaken && forMs > policy.storeCheckMs + LOOK_SLACK_MS) {
    world.fail(
      'F67',
      `${plan.name}: asks for a login (${phase.reason}, ${phase.code}), but the server takes what is stored`,
    );
  }
}

/** Whoever was told of a wrong configuration asks again by himself, in good and in bad weather, unless nobody is there. */
function judgeProbe(
  world: World,
  { name, phase, policy }: CredentialState,
  { calm, sentAt }: { readonly calm: Calm; readonly sentAt: number },
): void {
  if (phase.kind !== 'reauthorization_required' || phase.reason !== 'config' || phase.local) return;
  const server = world.server(name);
  const { kind, fromMs } = server.weather();
  if (kind === 'outage') return;
  const thereSince = kind === 'calm' ? fromMs : 0;
  const since = Math.max(sentAt, thereSince, calm.ofMachine(), calm.disturbedAt(name), server.limitedUntil);
  const forMs = world.scheduler.now - since;
  if (forMs > PROBE_MS + boundOf(policy, { isWaitedFor: false })) {
    world.fail('F9', `${name}: nobody asked again for ${seconds(forMs)} (${phase.code})`);
  }
}

function boundOf(policy: Policy, { isWaitedFor }: { readonly isWaitedFor: boolean }): number {
  const { retryIntervalMs, activeRecoveryIntervalMs, refreshTimeoutMs, killGraceMs, storeCheckMs, limits } = policy;
  const waitMs = isWaitedFor ? retryIntervalMs : Math.max(retryIntervalMs, activeRecoveryIntervalMs);
  const runMs = refreshTimeoutMs + killGraceMs + limits.resultSlackMs;
  return waitMs + 2 * runMs + limits.emptyBudgetWaitMs + storeCheckMs + policy.settleMs + LOOK_SLACK_MS;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

// The look once a minute, waiting in line, and a slow disk.
const LOOK_SLACK_MS = 150_000;
