import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { configure, demo, eventually, seed, startServer, stored } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

test('freshd watch outlives its daemon, tells what is new after it, and ends by Ctrl-C with nothing left behind', async () => {
  const server = await startServer(600);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  const { access_token: first } = stored(workshop);
  const child = spawn(process.execPath, [resolve('bin/freshd.js'), 'watch', '--socket', 'freshd.sock'], {
    cwd: workshop.directory,
    env: { PATH: process.env.PATH, HOME: workshop.directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const errors = text(child.stderr);
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
  });
  const tokens = () => [...out.matchAll(/^\S+ {2}demo {2}token {2}generation (\d+), expires in /gm)].map(([, n]) => n);
  await eventually(() => tokens().length === 1 && out.includes('demo  phase  fresh, usable'));
  await daemon.end('SIGTERM');
  seed(workshop, server);
  await workshop.start().ready();
  await eventually(() => tokens().length === 2);
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(await errors).toMatch(/^freshd: watch: [^\n]+; waiting for it\nfreshd: watch: the daemon is back\n$/);
  for (const token of [first, stored(workshop).access_token]) expect(out).not.toContain(token);
});

test('freshd status --watch keeps what it last saw while the daemon is away, says so, and goes on with the next', async () => {
  const server = await startServer(600);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  const argv = [resolve('bin/freshd.js'), 'status', 'demo', '--watch', '--socket', 'freshd.sock'];
  const child = spawn(process.execPath, argv, {
    cwd: workshop.directory,
    env: { PATH: process.env.PATH, HOME: workshop.directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    errors += piece;
  });
  const generations = () => new Set([...out.matchAll(/^generation +(\d+)$/gm)].map(([, generation]) => generation));
  await eventually(() => generations().size === 1);
  await daemon.end('SIGTERM');
  await eventually(() => errors !== '');
  seed(workshop, server);
  await workshop.start().ready();
  await eventually(() => generations().size === 2);
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(errors).toMatch(/^(?:freshd: status: [^\n]+; waiting for it\n)+$/);
});
