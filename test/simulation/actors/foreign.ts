/**
 * Other programs that refresh a credential behind freshd's back, and what else happens to credential files.
 *
 * Rule: they know nothing of freshd's locks. Whatever they do is told as a disturbance: what they break is theirs.
 */
import type { SendResult } from '../network.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import { accessTokenIn, membersOf, refreshTokenIn, writeAnswer } from './store-file.ts';

/** A tool that refreshes whenever it is used. */
export function startForeignTool(world: World, plan: CredentialPlan): void {
  const { foreignMeanMs } = plan;
  if (foreignMeanMs === null) return;
  const random = world.random.stream(`foreign ${plan.name}`);
  const usesItOften = plan.method === 'follow';
  const next = (): void => {
    const delayMs = usesItOften ? Math.min(plan.rules.lifeMs / 3, 600_000) : random.exponential(foreignMeanMs);
    world.scheduler.schedule({ owner: world.init, delayMs, label: `tool of ${plan.name}`, run });
  };
  const run = (): void => {
    next();
    if (!usesItOften || isSoonOver(world, plan)) refresh(world, plan);
  };
  next();
}

function isSoonOver(world: World, plan: CredentialPlan): boolean {
  const text = accessTokenIn(world.disk.readText(plan.storePath) ?? '');
  const token = text === null ? null : world.server(plan.name).grants.findAccess(text);
  return token === null || token.endsAt - world.scheduler.now < plan.rules.lifeMs / 2;
}

function refresh(world: World, plan: CredentialPlan): void {
  const refreshToken = refreshTokenIn(world.disk.readText(plan.storePath) ?? '');
  if (refreshToken === null) return;
  const { owner, exit } = world.processes.add({ name: `tool ${plan.name}` });
  const end = (): void => exit({ exitCode: 0, signal: null });
  const server = world.server(plan.name);
  const answered = (sent: SendResult): void => {
    if ('fault' in sent || sent.answer.status !== 200 || membersOf(sent.answer.body)?.access_token === undefined) {
      end();
      return;
    }
    world.seen.note('others', 'foreign refresh');
    world.tell('disturbed', plan.name, 'foreign refresh');
    writeAnswer(world, owner, { plan, body: sent.answer.body, done: end });
  };
  world.network.connect(owner, server, (result) => {
    if (result !== 'connected') end();
    else world.network.send(owner, server, { refreshToken, by: 'foreign' }, answered);
  });
  // Nobody waits for ever.
  world.scheduler.schedule({ owner, delayMs: TOOL_MS_MAX, label: `${owner.name} gives up`, run: end });
}

/** Backups restored, tokens blanked, files torn or removed. */
export function startTampering(world: World, plan: CredentialPlan): void {
  const { tamperMeanMs, storePath } = plan;
  if (tamperMeanMs === null) return;
  const { disk, scheduler } = world;
  const random = world.random.stream(`tampering ${plan.name}`);
  let backup = disk.readText(storePath);
  const next = (): void => {
    scheduler.schedule({
      owner: world.init,
      delayMs: random.exponential(tamperMeanMs),
      label: `tampering ${plan.name}`,
      run,
    });
  };
  const run = (): void => {
    next();
    const text = disk.readText(storePath) ?? '';
    const act = random.pick(['copy', 'copy', 'copy', 'restore', 'blank', 'tear', 'remove'] as const);
    if (act === 'copy') {
      backup = text;
      return;
    }
    world.seen.note('others', act);
    world.note(`tampering: ${act} ${storePath}`);
    world.tell('disturbed', plan.name, act);
    if (act === 'restore' && backup !== null) disk.writeText(storePath, backup);
    if (act === 'blank') disk.writeText(storePath, BLANK);
    if (act === 'tear') disk.writeText(storePath, text.slice(0, text.length / 2), { how: 'in-place' });
    if (act === 'remove') disk.remove(storePath);
  };
  next();
}

const BLANK = JSON.stringify({ access_token: '', refresh_token: '', token_type: 'Bearer', expires_in: 0 });

const TOOL_MS_MAX = 120_000;
