import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromEnv, load, MAIL, privateFolder } from './arrange.ts';

const SOUND = {
  version: 1,
  stateDirectory: 'state',
  socket: { path: 's.sock' },
  log: { level: 'info', file: 'log' },
  reloadOnChange: true,
  maxConcurrentRefreshes: 2,
  defaults: { maxRetries: 3 },
  credentials: {
    mail: { ...MAIL, publish: [{ envFile: '.env', variable: 'A' }, { hook: ['/bin/true'] }] },
    json: {
      store: { format: 'json', path: 'x', pointers: { accessToken: '/a' } },
      refresh: { command: ['/bin/true'], environment: { A: fromEnv('A') } },
    },
    key: { static: fromEnv('A') },
  },
  alerts: { reminderHours: 1, sinks: [{ type: 'log' }, { type: 'webhook', url: 'http://127.0.0.1/' }] },
};

/** Every path to a value in `value`. */
function pathsIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, part]) => pathsIn(part, [...path, key]))];
}

function replaceAt(value: unknown, path: readonly string[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaceAt(copy[key], rest, by);
  return copy;
}

const MESSAGE = /^.+: expected .+, got .+; .+$/;

test('for any JSON the loader answers with a configuration or with messages, and never throws', async () => {
  const folder = privateFolder();
  await fc.assert(
    fc.asyncProperty(fc.json(), async (json) => {
      const result = await load(json, { folder });
      if (!result.ok) for (const problem of result.problems) expect(problem).toMatch(MESSAGE);
    }),
    { numRuns: 300 },
  );
});

test('with any value in any place of a sound configuration it answers in the same way', async () => {
  const folder = privateFolder();
  expect(await load(SOUND, { folder, env: { A: 'x' } })).toMatchObject({ ok: true });
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>('__proto__', '\u0000', '~', `${'x'.repeat(5000)}`, 1e308, -0, fromEnv('B'), '${', {
      __proto__: 1,
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...pathsIn(SOUND)), odd, async (path, value) => {
      const result = await load(replaceAt(SOUND, path, value), { folder, env: { A: 'x' } });
      if (!result.ok) for (const problem of result.problems) expect(problem.replaceAll('\n', ' ')).toMatch(MESSAGE);
    }),
    { numRuns: 1000 },
  );
});
