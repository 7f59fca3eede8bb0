import { describe, expect, test } from 'vitest';
import { until } from '../api/arrange.ts';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { type ArrangedCli, arrangeCli, type Overheard } from './arrange.ts';

/** Runs until `stop`, which is what Ctrl-C does. */
function watch({ runWith }: ArrangedCli, ...argv: string[]) {
  let heard = '';
  const listeners = new Map<string, () => void>();
  const io: Partial<Overheard> = {
    heard: (text) => {
      heard += text;
    },
    onSignal(name, listener) {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  };
  const ran = runWith(io, 'watch', ...argv);
  return {
    lines: () => heard.split('\n').slice(0, -1),
    stop() {
      listeners.get('SIGINT')?.();
      return ran;
    },
  };
}

async function arrangeChain() {
  const arranged = await arrangeCli();
  const { daemon } = arranged;
  daemon.load('claude', 'secret-1', 8 * HOUR_MS);
  daemon.add('key', { method: 'static' });
  daemon.load('key', 'secret-key', 10_000 * HOUR_MS);
  await daemon.addChain('any', 'claude', 'key');
  daemon.advance(60_000);
  return arranged;
}

describe('freshd watch', () => {
  test('prints the present state and then each change, aligned, without a token, until Ctrl-C', async () => {
    const arranged = await arrangeChain();
    const { daemon } = arranged;
    const watching = watch(arranged);
    await until(() => watching.lines().length === 6);
    const { generation = 0 } = daemon.state('claude') ?? {};
    daemon.dispatch('claude', { type: 'rejection_reported', generation, peer: 'x' });
    await until(() => watching.lines().some((line) => line.includes('key in use instead of claude')));
    daemon.succeed('claude', 'secret-2', 8 * HOUR_MS);
    await until(() => watching.lines().some((line) => line.includes(`generation ${generation + 1}`)));
    const { exitCode, stdout, stderr } = await watching.stop();
    expect([exitCode, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n').slice(0, -1);
    for (const line of lines)
      expect(line).toMatch(/^\d\d:\d\d:\d\d {2}(?:claude|key {3}|any {3}) {2}(?:token|phase|chain) {2}\S/);
    const facts = lines.map((line) => line.slice(10));
    expect(facts).toContain('claude  phase  fresh, usable');
    expect(facts).toContain('any     chain  claude in use');
    expect(facts).toContain('any     chain  key in use instead of claude (rejected, rejection_reported)');
    expect(facts.filter((line) => line === 'key     phase  fresh, usable, not refreshable')).toHaveLength(1);
    expect(stdout).not.toContain('secret');
  });

  test('of one name says only what concerns it, as JSON without the token', async () => {
    const arranged = await arrangeChain();
    const watching = watch(arranged, 'any', '--json');
    await until(() => watching.lines().length === 2);
    const { exitCode, stdout } = await watching.stop();
    expect(exitCode).toBe(0);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const seen_at = new Date(arranged.daemon.now().wallMs).toISOString();
    expect(events).toMatchObject([
      { seen_at, event: 'token', chain: 'any', credential: 'claude', generation: expect.any(Number) },
      { seen_at, event: 'chain', chain: 'any', credential: 'claude', status: 'usable' },
    ]);
    expect(stdout).not.toContain('secret');
  });

  test('of a name that nobody has ends with the nearest one, and without a daemon says how to start it', async () => {
    const { run } = await arrangeChain();
    const unknown = await run('watch', 'cluade');
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining('did you mean claude?')]);
    const { exitCode, stderr } = await run('watch', '--socket', '/nonexistent/freshd.sock');
    expect([exitCode, stderr]).toEqual([69, expect.stringContaining('start it with: freshd run')]);
  });
});
