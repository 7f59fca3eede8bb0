/**
 * What consumers get: a whole value (I4), under a generation that means one token and only grows (I10), with its refresh
 * token safe (I3), and not after its end (I8).
 */
import type { Read } from '../actors/consumer.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import type { Calm } from './calm.ts';
import { isDurable as isDurablyRecorded } from './records.ts';

/** @returns to be told of each token that a consumer was given */
export function watchReads(world: World, calm: Calm): (read: Read) => void {
  const generations = new Map<string, string>();
  const newest = new Map<string, number>();
  /** Once durable, always durable. */
  const judged = new Set<string>();

  const judgeGeneration = (credential: string, generation: number, accessToken: string): void => {
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
    if (inEnv !== null) judgeGeneration(plan.name, generation, inEnv);
    judgeEnd(world, plan, { calm, values: [inEnv, inFile] });
  };

  const judgeAllFiles = (): void => world.scenario.credentials.forEach(judgeFiles);
  world.on.minute.push(judgeAllFiles);
  world.on.down.push(judgeAllFiles);

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
    const overMs = scheduler.now - token.endsAt;
    const calmMs = scheduler.now - Math.max(calm.ofMachine(), token.givenAt);
    const isTold = !world.server(plan.name).oddTokens.has(token.text);
    const slackMs = isRead ? READ_SLACK_MS : FILE_SLACK_MS;
    if (isTold && overMs > slackMs && calmMs > overMs + slackMs) {
      world.fail(
        'I8',
        `${plan.name}: a token is ${isRead ? 'given' : 'in a file'} ${Math.round(overMs)} ms after its end`,
      );
    }
  }
}

function valueIn(env: string, variable: string): string | null {
  return new RegExp(`^${variable}=(.*)$`, 'm').exec(env)?.[1] ?? null;
}

const ENV_HEAD = 'FIRST=1\n# a comment\nOTHER=two\n';

// `expires_in` counts from the arrival of the answer, for which at most 30 s are waited here, and in whole seconds.
const READ_SLACK_MS = 35_000;

// A second (after a suspend 30), and what a slow disk needs.
const FILE_SLACK_MS = READ_SLACK_MS + 45_000;
