/**
 * What consumers get: a whole value (I4), under a generation that means one token and only grows (I10), with its refresh
 * token safe (I3), not after its end (I8), and as long as it is good (I5).
 */
import type { CredentialState } from '../../../src/core/state.ts';
import type { Read } from '../actors/consumer.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import type { Calm } from './calm.ts';
import { valueIn } from './env.ts';
import { isFromFuture } from './generations.ts';
import { isDurable as isDurablyRecorded, isJournaled } from './records.ts';

/** @returns to be told of each token that a consumer was given */
export function watchReads(world: World, calm: Calm): (read: Read) => void {
  const generations = new Map<string, string>();
  const newest = new Map<string, number>();
  /** Once durable, always durable. */
  const judged = new Set<string>();
  const judgePresence = presenceIn(world, calm);
  const isInChain = ({ name }: CredentialPlan): boolean => world.scenario.chain?.members.includes(name) === true;

  const judgeGeneration = (credential: string, generation: number, accessToken: string): void => {
    if (isFromFuture(world, generation)) return;
    const key = `${credential} ${generation}`;
    const known = generations.get(key);
    if (known !== undefined && known !== accessToken) {
      world.fail('I10', `${credential}: generation ${generation} means two tokens`);
    }
    generations.set(key, accessToken);
  };

  const judgeFiles = (plan: CredentialPlan): void => {
    const env = world.disk.readText(plan.envPath) ?? '';
    if (!env.startsWith(ENV_HEAD))
      world.fail('I4', `${plan.envPath} lost its other lines: ${JSON.stringify(env.slice(0, 80))}`);
    const inEnv = valueIn(env, plan.variable);
    const inFile = world.disk.readText(plan.tokenPath);
    for (const [place, value] of [
      [plan.envPath, inEnv],
      [plan.tokenPath, inFile],
    ] as const) {
      if (value === null) continue;
      if (world.server(plan.name).grants.findAccess(value) === null)
        world.fail('I4', `${place} holds no whole token: ${value.length} characters`);
    }
    const generation = Number(valueIn(env, `${plan.variable}_GENERATION`));
    const meant = isInChain(plan) ? undefined : generations.get(`${plan.name} ${generation}`);
    if (inEnv !== null && meant !== undefined && meant !== inEnv)
      world.fail('I4', `${plan.envPath}: the token of another generation stands beside generation ${generation}`);
    judgeEnd(world, plan, { calm, values: [inEnv, inFile] });
    // The variables of a chain are judged as such.
    judgePresence(plan, isInChain(plan) ? [inFile] : [inEnv, inFile]);
  };

  const judgeAllFiles = (): void => world.scenario.credentials.forEach(judgeFiles);
  world.on.step.push((credential, { held }) => {
    if (held !== null) judgeGeneration(credential, held.generation, held.token.accessToken);
  });
  world.on.minute.push(judgeAllFiles);
  world.on.down.push(judgeAllFiles);
  watchDurability(world, calm);

  return ({ credential, accessToken, generation, isDurable }) => {
    judgeGeneration(credential, generation, accessToken);
    if (generation < (newest.get(credential) ?? 0))
      world.fail('I10', `${credential}: generation ${generation} after a greater one`);
    newest.set(credential, generation);
    const plan = world.plan(credential);
    if (isDurable && !judged.has(accessToken)) judgeDurability(world, plan, { calm, accessToken });
    judged.add(accessToken);
    judgeEnd(world, plan, { calm, values: [accessToken], isRead: true });
  };
}

/** A good token that nobody rejected is where it belongs, whatever becomes of refreshes. */
function presenceIn(world: World, calm: Calm): (plan: CredentialPlan, values: readonly (string | null)[]) => void {
  /** What each held at the last look, and since when. */
  const held = new Map<string, { readonly accessToken: string; readonly since: number }>();
  return (plan, values) => {
    const running = world.life?.running;
    const state = world.state(plan.name);
    const { now } = world.scheduler;
    const accessToken = state?.held?.token.accessToken ?? null;
    if (running == null || state === null || accessToken === null) return;
    const before = held.get(plan.name);
    const since = before?.accessToken === accessToken ? before.since : now;
    held.set(plan.name, { accessToken, since });
    const isGood = running.readToken(state, running.daemon.now()).kind === 'token' && state.rejection === null;
    if (!isGood || now - Math.max(since, calm.ofMachine()) < DELIVERY_MS) return;
    if (values.some((value) => value !== accessToken)) {
      world.fail('I5', `${plan.name}: a good token is not in its files for ${Math.round((now - since) / 1000)} s`);
    }
  };
}

/** Whatever may be read, now or from the files of a daemon that died, has its refresh token on a disk. */
function watchDurability(world: World, calm: Calm): void {
  /** Whose last answer the store did not take: that is said to every reader. */
  const unpersisted = new Set<string>();
  /** What each would be given now. */
  const served = new Map<string, string>();
  world.on.down.push(() => {
    for (const plan of world.scenario.credentials) {
      const text = valueIn(world.disk.readText(plan.envPath) ?? '', plan.variable);
      if (text !== null && !unpersisted.has(plan.name)) judgeDurability(world, plan, { calm, accessToken: text });
    }
  });
  world.on.step.push((credential, state) => {
    if (state.unpersisted === null) unpersisted.delete(credential);
    else unpersisted.add(credential);
    judgeRecord(world, credential, state);
    // From this moment on whoever asks is given it.
    const accessToken = state.held?.token.accessToken ?? null;
    if (accessToken === null || served.get(credential) === accessToken) return;
    served.set(credential, accessToken);
    if (state.unpersisted === null) judgeDurability(world, world.plan(credential), { calm, accessToken });
  });
}

/** Before the store is touched, the journal has the answer, unless no disk took it. */
function judgeRecord(world: World, credential: string, { phase }: CredentialState): void {
  if (phase.kind !== 'refreshing' || phase.stage !== 'persisting') return;
  const response = phase.answer?.response ?? {};
  const token = response.refresh_token ?? response.access_token;
  const { now } = world.scheduler;
  const isDiskBad = world.scenario.disk.some(({ fromMs, toMs }) => fromMs <= now && now <= toMs + RECORD_MS);
  if (typeof token === 'string' && !isDiskBad && !isJournaled(world, credential, token)) {
    world.fail('I3', `${credential}: the store is written before the journal has the answer`);
  }
}

/** What the tool wrote is for the tool to sync. */
function judgeDurability(
  world: World,
  plan: CredentialPlan,
  { calm, accessToken }: { readonly calm: Calm; readonly accessToken: string },
): void {
  const token = world.server(plan.name).grants.findAccess(accessToken);
  const refresh = token?.refresh ?? null;
  if (refresh === null || plan.method === 'tool' || plan.method === 'follow') return;
  const giver = refresh.family.tokens[refresh.index - 1];
  if (giver?.spent?.by !== 'freshd') return;
  const successors = refresh.family.tokens.slice(refresh.index);
  const isSafe = successors.some(({ text }) => isDurablyRecorded(world, plan.name, text));
  const isReplaced = calm.disturbedAt(plan.name) >= (token?.givenAt ?? 0);
  if (!isSafe && !isReplaced) {
    world.fail(
      'I3',
      `${plan.name}: refresh token ${refresh.index} is on no disk, and its access token is given as durable`,
    );
  }
}

function judgeEnd(
  world: World,
  plan: CredentialPlan,
  {
    calm,
    values,
    isRead = false,
  }: { readonly calm: Calm; readonly values: readonly (string | null)[]; readonly isRead?: boolean },
): void {
  const { scheduler } = world;
  for (const value of values) {
    const token = value === null ? null : world.server(plan.name).grants.findAccess(value);
    if (token === null) continue;
    const overMs = scheduler.now - token.endsAt - calm.misdatedMs(token.givenAt);
    const calmMs = scheduler.now - Math.max(calm.ofMachine(), token.givenAt);
    const isTold = !world.server(plan.name).oddTokens.has(token.text);
    const slackMs = isRead ? READ_SLACK_MS : FILE_SLACK_MS;
    if (isTold && Math.min(overMs, calmMs) > slackMs) {
      world.fail(
        'I8',
        `${plan.name}: a token is ${isRead ? 'given' : 'in a file'} ${Math.round(scheduler.now - token.endsAt)} ms after its end`,
      );
    }
  }
}

const ENV_HEAD = 'FIRST=1\n# a comment\nOTHER=two\n';

// `expires_in` counts from the arrival of the answer, for which at most 30 s are waited here, and in whole seconds.
const READ_SLACK_MS = 35_000;

// What failed is told again within a minute, and looked at once in a minute.
const DELIVERY_MS = 180_000;

// As long as a step of an attempt may take.
const RECORD_MS = 60_000;

// A second (after a suspend 30), and what a slow disk needs.
const FILE_SLACK_MS = READ_SLACK_MS + 45_000;
