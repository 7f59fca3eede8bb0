/**
 * People: whoever logs in again when told to, and whoever restarts, reloads and asks for refreshes.
 *
 * Rule: they act on what the daemon says, late, and only sometimes well.
 */
import type { CredentialPlan } from '../scenario.ts';
import type { World } from '../world.ts';
import { loginText } from './store-file.ts';

/** Logs in when the daemon asks for it, or the tool does. */
export function startPerson(world: World, plan: CredentialPlan): void {
  const { scheduler, scenario, init } = world;
  const random = world.random.stream(`person ${plan.name}`);
  let isOnTheWay = false;
  const look = (): void => {
    scheduler.schedule({ owner: init, delayMs: LOOK_MS, label: `person looks at ${plan.name}`, run: look });
    if (isOnTheWay || !needsLogin(world, plan)) return;
    isOnTheWay = true;
    scheduler.schedule({
      owner: init,
      delayMs: random.exponential(scenario.personMeanMs),
      label: `login ${plan.name}`,
      run: login,
    });
  };
  const login = (): void => {
    isOnTheWay = false;
    if (!needsLogin(world, plan)) return;
    world.seen.note('others', 'login');
    world.tell('disturbed', plan.name, 'login');
    const grant = world.server(plan.name).grants.login(scheduler.now);
    world.disk.writeText(plan.storePath, loginText(world, grant));
  };
  look();
}

function needsLogin(world: World, plan: CredentialPlan): boolean {
  const phase = world.state(plan.name)?.phase;
  return phase?.kind === 'reauthorization_required' || phase?.kind === 'absent';
}

/** Whoever runs the service. */
export function startOperator(world: World): void {
  const { scheduler, scenario } = world;
  const random = world.random.stream('operator');
  const next = (): void => {
    scheduler.schedule({ owner: world.init, delayMs: random.exponential(OPERATOR_MEAN_MS), label: 'operator', run });
  };
  const run = (): void => {
    next();
    const { life } = world;
    const daemon = life?.running?.daemon;
    if (life === null || daemon === undefined) return;
    const plan = random.pick(scenario.credentials as [CredentialPlan, ...CredentialPlan[]]);
    const act = random.pick(['reload', 'refresh', 'force', 'restart'] as const);
    world.seen.note('others', act);
    world.note(`operator: ${act} ${plan.name}`);
    // As a call over the socket comes in: a turn of the daemon's own.
    const asDaemon = (work: () => void): void => {
      scheduler.schedule({ owner: life.owner, delayMs: 0, label: act, run: work });
    };
    if (act === 'reload') asDaemon(() => void daemon.reload());
    else if (act === 'restart') asDaemon(() => void daemon.stop().then(() => world.stopped(life)));
    else {
      const event = { type: 'refresh_requested', cause: 'operator', force: act === 'force' } as const;
      asDaemon(() => daemon.dispatch(plan.name, event));
    }
  };
  next();
}

const LOOK_MS = 5 * 60_000;
const OPERATOR_MEAN_MS = 8 * 3_600_000;
