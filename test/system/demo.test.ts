/** What a stranger sees first: the demo behind `npm start`, in a copy of the checkout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

interface Shown {
  readonly process: ChildProcess;
  screen(): string;
}

function checkout(): Workshop {
  const workshop = createWorkshop();
  for (const part of ['bin', 'scripts', 'package.json', 'config.json', 'config.schema.json']) {
    cpSync(resolve(part), workshop.path(part), { recursive: true });
  }
  for (const part of ['dist', 'node_modules']) symlinkSync(resolve(part), workshop.path(part));
  return workshop;
}

function run(workshop: Workshop, ...argv: string[]): Shown {
  const child = spawn(process.execPath, argv, {
    cwd: workshop.directory,
    env: { PATH: process.env.PATH, HOME: workshop.directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  return { process: child, screen: () => text };
}

const startDemo = (workshop: Workshop): Shown => run(workshop, 'scripts/demo.js');

async function freshd(workshop: Workshop, ...argv: string[]): Promise<string> {
  const call = run(workshop, 'bin/freshd.js', ...argv, '--config', 'config.json');
  await once(call.process, 'close');
  return call.screen();
}

test('the demo says where everything is, refreshes, and leaves no process and no socket after Ctrl-C', async () => {
  const workshop = checkout();
  const demo = startDemo(workshop);
  const inside = (name: string) => join(workshop.directory, '.demo', name);
  await eventually(() => /ready/.test(demo.screen()));
  for (const name of ['.env', 'freshd.sock', 'daemon.log']) expect(demo.screen()).toContain(inside(name));
  expect(demo.screen()).toContain('npx freshd status');

  const first = await freshd(workshop, 'token', 'demo');
  expect(readFileSync(inside('.env'), 'utf8')).toContain(first.trim());
  await freshd(workshop, 'refresh', 'demo', '--force');
  await eventually(() => /refresh_succeeded/.test(demo.screen()));
  expect(await freshd(workshop, 'token', 'demo')).not.toBe(first);

  demo.process.kill('SIGINT');
  expect((await once(demo.process, 'exit'))[0]).toBe(0);
  expect(existsSync(inside('freshd.sock'))).toBe(false);
  expect(workshop.strays()).toEqual([]);
});

test('a second demo beside a running one is refused, and harms it not', async () => {
  const workshop = checkout();
  const demo = startDemo(workshop);
  await eventually(() => /ready/.test(demo.screen()));
  const second = startDemo(workshop);
  expect((await once(second.process, 'close'))[0]).toBe(75);
  expect(second.screen()).toMatch(/already; end it with Ctrl-C there, or: kill \d+/);
  expect(await freshd(workshop, 'token', 'demo')).toMatch(/^at_/);
  demo.process.kill('SIGTERM');
  expect((await once(demo.process, 'exit'))[0]).toBe(0);
});

test('a demo whose screen goes away takes its daemon with it', async () => {
  const workshop = checkout();
  const demo = startDemo(workshop);
  await eventually(() => /ready/.test(demo.screen()));
  const ended = once(demo.process, 'exit');
  demo.process.stdout?.destroy();
  // The next line that it would show is the one that fails.
  await freshd(workshop, 'refresh', 'demo', '--force');
  await ended;
  await eventually(() => workshop.strays().length === 0);
});
