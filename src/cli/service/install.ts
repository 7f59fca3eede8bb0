/**
 * `freshd service install`: looks at the machine, plans, shows the steps, and does them.
 *
 * Rule: a service whose configuration does not load is not installed for a person, who would only meet it in a log; for the
 * system, whose secrets are not there before it runs, it is started all the same and says so itself.
 */
import { CommandError, isSwitchedOn, optionValue } from '../command.ts';
import type { ServiceContext } from '../commands/service.ts';
import { EXIT } from '../exit-code.ts';
import { complainOf, loadNamedConfig } from '../named-config.ts';
import { digestOf } from './host.ts';
import { listeningPlace } from './listening.ts';
import { hiddenFromSystem, serviceFiles } from './places.ts';
import { type Found, planInstall, type ServiceFile, stepText, systemctl, UNIT, unitsOf } from './plan.ts';
import { type ServiceFacts, servicePath, stopSecondsFor } from './render.ts';

export async function install(context: ServiceContext): Promise<number> {
  const { args, io, host, manager, scope, recordPath, place } = context;
  const { facts, hasConfig } = await (scope === 'user' ? ownFacts(context) : systemFacts(context));
  const files = serviceFiles({ manager, scope }, facts, { place, shipped: host.shipped });
  const found = await look(context, files);
  const linger = await wantsLingering(context);
  const { user } = host;
  const request = { manager, scope, uid: io.uid, user, files, digestOf, linger, start: hasConfig, recordPath };
  const plan = planInstall(request, found);
  if (!plan.ok) {
    const remedy = 'move it away, and put what it changed into a drop-in (`systemctl edit`)';
    throw new CommandError(
      `${plan.foreign.join(', ')}: expected nothing, or what freshd wrote, got another file; ${remedy}`,
      EXIT.failure,
    );
  }
  if (plan.steps.length === 0) {
    io.write('installed already, and nothing has changed\n');
    return EXIT.ok;
  }
  const isDryRun = isSwitchedOn(args, 'dry-run');
  for (const step of plan.steps) {
    io.write(`${isDryRun ? 'would ' : ''}${stepText(step)}\n`);
    if (isDryRun && step.do === 'write' && step.path !== recordPath) io.write(indented(step.content));
    if (!isDryRun) await host.perform(step);
  }
  if (!isDryRun) io.write(next(context, hasConfig));
  return EXIT.ok;
}

const indented = (text: string): string => text.trimEnd().replace(/^/gm, '  | ').concat('\n');

function next({ scope }: ServiceContext, hasConfig: boolean): string {
  const flag = scope === 'system' ? ' --system' : '';
  if (!hasConfig) return `next: create /etc/freshd/config.json, then: systemctl start ${UNIT}\n`;
  return `next: freshd status; freshd service logs${flag}; to undo all of this: freshd service uninstall${flag}\n`;
}

interface Facts {
  readonly facts: ServiceFacts;
  readonly hasConfig: boolean;
}

/** @throws CommandError when the configuration does not load */
async function ownFacts(context: ServiceContext): Promise<Facts> {
  const { args, io, host } = context;
  const loaded = await loadNamedConfig(args, io);
  if (!loaded.ok) {
    complainOf(loaded, io);
    throw new CommandError('the configuration has to load first; `freshd init` writes one', EXIT.configuration);
  }
  const { config } = loaded;
  const runsMs = config.credentials.map(({ policy }) => policy.refreshTimeoutMs + policy.killGraceMs);
  const facts = {
    node: host.node,
    program: host.program,
    config: config.path,
    socket: null,
    path: servicePath(io.env.PATH),
    stopSeconds: stopSecondsFor(Math.max(0, ...runsMs)),
    listenAt: await listeningPlace(context),
  };
  return { facts, hasConfig: true };
}

/** @throws CommandError when the unit could not see the program */
async function systemFacts(context: ServiceContext): Promise<Facts> {
  const { args, host, manager } = context;
  const { node, program } = host;
  const hidden = manager === 'systemd' ? hiddenFromSystem([node, program]) : null;
  if (hidden !== null) {
    const remedy =
      'install node and freshd for everybody (`npm install --global freshd` as root), or leave out --system';
    throw new CommandError(
      `${hidden}: expected a program that the sandbox of the unit lets it see, got one below a home or /tmp; ${remedy}`,
      EXIT.failure,
    );
  }
  const config = optionValue(args, 'config') ?? '/etc/freshd/config.json';
  const socket = manager === 'systemd' ? '/run/freshd/freshd.sock' : null;
  const listenAt = await listeningPlace(context);
  return {
    facts: { node, program, config, socket, path: null, stopSeconds: stopSecondsFor(0), listenAt },
    hasConfig: host.exists(config),
  };
}

async function look(
  { host, manager, scope, recordPath }: ServiceContext,
  files: readonly ServiceFile[],
): Promise<Found> {
  // One at a time: asked for several, systemctl is content with any of them.
  const state = async (word: string): Promise<boolean> => {
    const answers = unitsOf(files.map(({ path }) => path)).map((unit) => host.ask(systemctl(scope, word, unit)));
    return (await Promise.all(answers)).every((answer) => answer !== null);
  };
  const isSystemd = manager === 'systemd';
  const record = host.record(recordPath);
  return {
    record,
    digests: host.digests([...files.map(({ path }) => path), ...Object.keys(record?.files ?? {})]),
    isEnabled: isSystemd && (await state('is-enabled')),
    isActive: isSystemd && (await state('is-active')),
  };
}

/** Asked, because it changes more than this one service: everything of that person runs from boot on then. */
async function wantsLingering({ args, io, host, manager, scope }: ServiceContext): Promise<boolean> {
  if (manager !== 'systemd' || scope !== 'user') return false;
  const lingers = await host.ask(['loginctl', 'show-user', host.user, '--property=Linger', '--value']);
  if (lingers === 'yes') return false;
  if (isSwitchedOn(args, 'yes')) return true;
  const isAgreed =
    (await io.ask?.(`Let freshd run from boot on, also while ${host.user} is not logged in (lingering)? [y/N] `)) ??
    null;
  if (isAgreed !== null && /^y(es)?$/i.test(isAgreed.trim())) return true;
  io.complain(
    `freshd: lingering stays off: it runs only while ${host.user} is logged in; for more: loginctl enable-linger ${host.user}, or --yes`,
  );
  return false;
}
