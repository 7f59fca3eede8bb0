/**
 * Refresh scripts and the tools that they drive, as processes of the simulated machine.
 *
 * Rule: the contract of docs/refresh-scripts: a token response on stdout, or the store changed; 75 surely not sent, 74
 * perhaps. And what real ones do beside it: hang, die half-way, ignore signals.
 */

import { visible } from '../disk-content.ts';
import type { InheritedFile } from '../disk-process.ts';
import type { Life } from '../life.ts';
import type { SendResult } from '../network.ts';
import type { ScriptEnd, SpawnedScript, SpawnRequest } from '../processes.ts';
import type { CredentialPlan } from '../scenario.ts';
import type { Owner } from '../scheduler.ts';
import type { World } from '../world.ts';
import { accessTokenIn, refreshTokenIn, writeAnswer } from './store-file.ts';

interface Script {
  readonly world: World;
  readonly plan: CredentialPlan;
  readonly owner: Owner;
  readonly stdout: InheritedFile | null;
  readonly input: string;
  readonly exit: (end: ScriptEnd) => void;
}

export function startScript(
  world: World,
  life: Life,
  request: SpawnRequest & { readonly parent: number },
): SpawnedScript {
  const { scheduler, random, seen } = world;
  const plan = world.plan(request.program.replace(/^.*\//, ''));
  const stdout = request.stdout === null ? null : life.disk.inherit(request.stdout);
  const input =
    request.stdin === null ? '' : visible(life.disk.file(request.stdin, 'read').inode.content).toString('utf8');
  let tell: (end: ScriptEnd) => void = () => undefined;
  const ignoresTerm = random.chance(0.1);
  if (ignoresTerm) seen.note('script', 'ignores SIGTERM');
  const { pid, owner, exit } = world.processes.add({
    name: `script ${plan.name}`,
    parent: request.parent,
    environment: request.environment,
    ignoresTerm,
    onExit: (end) => {
      if (end.signal !== null) seen.note('script', 'dies half-way');
      stdout?.close();
      scheduler.schedule({
        owner: life.owner,
        delayMs: random.between(0.1, 2),
        label: `exit of ${pid}`,
        run: () => {
          if (!world.strikesStage(life.owner, 'script ended')) tell(end);
        },
      });
    },
  });
  const script = { world, plan, owner, stdout, input, exit };
  later(script, random.between(10, 200), 'runs', () => run(script));
  // It runs on by itself, and nobody knows of it but the process table.
  world.strikesStage(life.owner, 'script started');
  return {
    pid,
    ended: (listener) => {
      tell = listener;
    },
  };
}

function run(script: Script): void {
  const { world, plan, owner, input } = script;
  const { random, network, disk } = world;
  if (random.chance(HANG_SHARE)) {
    world.seen.note('script', 'hangs at its start');
    return;
  }
  const text = plan.method === 'tool' ? (disk.readText(plan.storePath) ?? '') : input;
  const refreshToken = refreshTokenIn(text);
  if (refreshToken === null) {
    exit(script, 78);
    return;
  }
  const server = world.server(plan.name);
  network.connect(owner, server, (result) => {
    if (result !== 'connected') exit(script, 75);
    else network.send(owner, server, { refreshToken, by: 'freshd' }, (sent) => answered(script, sent));
  });
}

function answered(script: Script, sent: SendResult): void {
  const { world, plan } = script;
  if ('fault' in sent) {
    exit(script, 74);
    return;
  }
  const { status, body } = sent.answer;
  const isGranted = status === 200 && accessTokenIn(body) !== null;
  if (plan.method === 'tool' && isGranted) {
    later(script, world.random.between(1, 50), 'writes the store', () =>
      writeAnswer(world, script.owner, { plan, body, done: () => exit(script, 0) }),
    );
    return;
  }
  if (plan.method === 'tool') {
    exit(script, body.includes('"invalid_grant"') ? 77 : 1);
    return;
  }
  print(script, body, () => {
    if (world.random.chance(HANG_SHARE)) {
      world.seen.note('script', 'hangs at its end');
      return;
    }
    exit(script, isGranted ? 0 : status >= 500 ? 74 : 1);
  });
}

/** Now and then in two pieces, between which it can be killed. */
function print(script: Script, text: string, done: () => void): void {
  const { stdout, world } = script;
  const half = world.random.chance(0.2) ? Math.floor(text.length / 2) : text.length;
  stdout?.write(text.slice(0, half));
  later(script, world.random.between(0.1, 100), 'prints the rest', () => {
    stdout?.write(text.slice(half));
    done();
  });
}

function exit({ exit }: Script, exitCode: number): void {
  exit({ exitCode, signal: null });
}

function later({ world, owner }: Script, delayMs: number, label: string, run: () => void): void {
  world.scheduler.schedule({ owner, delayMs, label: `${owner.name} ${label}`, run });
}

const HANG_SHARE = 0.01;
