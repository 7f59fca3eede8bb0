import { describe, expect, test } from 'vitest';
import { until } from '../api/arrange.ts';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { type ArrangedCli, arrangeCli, type Overheard } from './arrange.ts';

const ESCAPE = '\u001b';

/** Runs until `stop`, which is what Ctrl-C does. */
function follow({ runWith }: ArrangedCli, options: Partial<Overheard>, ...argv: string[]) {
  let heard = '';
  const listeners = new Map<string, () => void>();
  const io: Partial<Overheard> = {
    ...options,
    heard: (text) => {
      heard += text;
    },
    onSignal(name, listener) {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  };
  const ran = runWith(io, 'status', '--watch', ...argv);
  return {
    heard: () => heard,
    listeners,
    stop() {
      listeners.get('SIGINT')?.();
      return ran;
    },
  };
}

describe('freshd status --watch', () => {
  test('through a pipe prints the state, and prints it anew at a change, until Ctrl-C', async () => {
    const arranged = await arrangeCli();
    const { daemon } = arranged;
    daemon.load('claude', 'secret-1', 8 * HOUR_MS);
    const following = follow(arranged, {}, 'claude');
    await until(() => following.heard().includes('generation'));
    const { generation = 0 } = daemon.state('claude') ?? {};
    daemon.advance(60_000);
    daemon.dispatch('claude', { type: 'rejection_reported', generation, peer: 'x' });
    daemon.succeed('claude', 'secret-2', 8 * HOUR_MS);
    await until(() => following.heard().includes(String(generation + 1)));
    const { exitCode, stdout, stderr } = await following.stop();
    expect([exitCode, stderr]).toEqual([0, '']);
    const frames = stdout.split('\n\n');
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames) expect(frame).toMatch(/^credential +claude\nstatus +usable\n/);
    expect(stdout).not.toContain('secret');
    expect(stdout).not.toContain(ESCAPE);
    expect(following.listeners.size).toBe(0);
  });

  test('on a terminal draws in place, cuts off what has no room, and leaves the terminal as it was', async () => {
    const arranged = await arrangeCli();
    const { daemon } = arranged;
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      daemon.add(name);
      daemon.load(name, `secret-${name}`, 8 * HOUR_MS);
    }
    const following = follow(arranged, { terminalRows: () => 6 });
    await until(() => following.heard().includes('usable'));
    daemon.dispatch('a', { type: 'rejection_reported', generation: daemon.state('a')?.generation ?? 0, peer: 'x' });
    await until(() => following.heard().split(`${ESCAPE}[H`).length > 2);
    const drawn = following.heard();
    const { exitCode, stdout } = await following.stop();
    expect(exitCode).toBe(0);
    expect(drawn.startsWith(`${ESCAPE}[?1049h${ESCAPE}[?7l${ESCAPE}[H`)).toBe(true);
    const pages = drawn.split(`${ESCAPE}[H`).slice(1);
    for (const page of pages) expect(page.split('\n')).toHaveLength(6);
    expect(pages[0]).toMatch(/… \d+ more lines; enlarge the window/);
    const [, left = ''] = stdout.split(`${ESCAPE}[?7h${ESCAPE}[?1049l`);
    expect(left).toMatch(/^freshd .*\n\nCREDENTIAL/);
    for (const name of ['a', 'f']) expect(left).toMatch(new RegExp(`^${name} +usable`, 'm'));
    expect(stdout).not.toContain('secret');
  });

  test('with --json prints one object a line, and with --check ends by what was last seen', async () => {
    const arranged = await arrangeCli();
    const { daemon } = arranged;
    daemon.load('claude', 'secret-1', 8 * HOUR_MS);
    daemon.remove('mail');
    const following = follow(arranged, { terminalRows: () => 24 }, '--json', '--check');
    await until(() => following.heard().includes('"usable"'));
    daemon.advance(9 * HOUR_MS);
    daemon.dispatch('claude', { type: 'tick' });
    await until(() => following.heard().includes('"expired"'));
    const { exitCode, stdout } = await following.stop();
    const statuses = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).credentials[0].status);
    expect([statuses[0], statuses.at(-1)]).toEqual(['usable', 'expired']);
    expect(exitCode).toBe(1);
  });

  test('shows what no event tells: the generation that a consumer has by its own word', async () => {
    const arranged = await arrangeCli();
    const { daemon, get } = arranged;
    daemon.load('claude', 'secret-1', 8 * HOUR_MS);
    const following = follow(arranged, { terminalRows: () => 24 }, 'claude');
    await until(() => following.heard().includes('usable'));
    await get('/v1/tokens/claude?consumer=bot&after_generation=1');
    await until(() => following.heard().includes('1 of 1 consumer still on generation 1'));
    expect((await following.stop()).exitCode).toBe(0);
  });

  test('without a daemon, or of a name that nobody has, ends at once as without --watch', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('claude', 'secret-1', 8 * HOUR_MS);
    const away = await run('status', '--watch', '--socket', '/nonexistent/freshd.sock');
    expect([away.exitCode, away.stderr]).toEqual([69, expect.stringContaining('start it with: freshd run')]);
    const unknown = await run('status', '--watch', 'cluade');
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining('did you mean claude?')]);
  });
});
