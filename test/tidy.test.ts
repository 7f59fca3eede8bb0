/**
 * House rules as a test: who may import what, how long files and functions may be, who may read a clock or the environment.
 *
 * The two tables are for everybody to extend, each row with its reason; what they allow and nobody uses is an error too.
 * `tidy/rules.ts` judges; the mutants at the end show that it can say no.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Allowance, FILE_LINES_SOFT, findings, linesOf, type Room, type Rule } from './tidy/rules.ts';
import { type SourceFile, sourceFile } from './tidy/source.ts';

/**
 * The composition root; only these know adapters and server: main is the process, guard what protects it, assemble the daemon
 * in it, parts and publish-parts what belongs to one credential, login and alert-test what one command needs.
 */
const COMPOSERS = ['main', 'guard', 'assemble', 'parts', 'publish-parts', 'login', 'alert-test'].map(
  (name) => `daemon/${name}.ts`,
);

/** The arrows of ARCHITECTURE.md: `core <- config <- daemon <- main -> adapters, api <- client <- cli`. */
const ROOMS: readonly Room[] = [
  { files: /^core\//, imports: ['core/'], node: false, packages: [] },
  {
    files: /^config\//,
    imports: ['config/', 'core/policy.ts', 'core/store-format.ts'],
    node: true,
    packages: ['zod', 'croner'],
  },
  {
    files: new RegExp(`^(?:${COMPOSERS.join('|').replaceAll('.', '[.]')})$`),
    imports: ['core/', 'config/', 'daemon/', 'adapters/', 'api/server.ts'],
    node: true,
    packages: [],
  },
  {
    files: /^daemon\//,
    imports: ['core/', 'config/', 'daemon/'],
    except: COMPOSERS,
    node: true,
    packages: [],
  },
  {
    files: /^adapters\//,
    imports: ['core/', 'daemon/ports.ts', 'daemon/ports-metrics.ts', 'daemon/system-ports.ts', 'adapters/'],
    node: true,
    packages: [
      'croner',
      'dotenv',
      'execa',
      'koffi',
      'node-notifier',
      'oauth4webapi',
      'prom-client',
      'proper-lockfile',
      'pino',
    ],
  },
  {
    files: /^api\//,
    imports: ['core/', 'daemon/ports.ts', 'daemon/ports-metrics.ts', 'daemon/system-ports.ts', 'api/'],
    node: true,
    packages: ['fastify'],
  },
  // Two files of others, so that places and near names are the same for library, command line and daemon.
  {
    files: /^client\//,
    imports: ['client/', 'api/protocol.ts', 'api/nearest.ts', 'config/paths.ts', 'types:core/'],
    node: true,
    packages: [],
  },
  // The one command that is the daemon; loaded on demand, so that `freshd token` starts without it.
  {
    files: /^cli\/commands\/run\.ts$/,
    imports: ['cli/', 'client/', 'api/protocol.ts', 'config/', 'core/'],
    dynamic: ['daemon/main.ts'],
    node: true,
    packages: ['commander'],
  },
  {
    files: /^cli\/commands\/(?:login|alert)\.ts$/,
    imports: ['cli/', 'config/', 'core/'],
    dynamic: ['daemon/login.ts', 'daemon/alert-test.ts'],
    node: true,
    packages: [],
  },
  {
    files: /^cli\//,
    imports: ['cli/', 'client/', 'api/protocol.ts', 'config/', 'core/'],
    node: true,
    packages: ['commander'],
  },
  { files: /^index\.ts$/, imports: ['client/', 'types:api/protocol.ts'], node: false, packages: [] },
];

/** Everybody else takes time and environment by parameter or port. */
const ALLOWANCES: readonly Allowance[] = [
  { path: 'src/adapters/line-writer.ts', word: 'setTimeout', reason: 'nobody says when a full pipe has room again' },
  { path: 'src/adapters/system-clock.ts', word: 'Date', reason: 'the wall clock itself' },
  { path: 'src/adapters/system-clock.ts', word: 'setTimeout', reason: 'the alarm has a back-stop beside croner' },
  {
    path: 'src/adapters/kernel-lock.ts',
    word: 'setTimeout',
    reason: 'a lock held elsewhere is polled: no event says it is free',
  },
  {
    path: 'src/adapters/kernel-lock-kinds.ts',
    word: 'setTimeout',
    reason: 'a lock held elsewhere is polled: no event says it is free',
  },
  {
    path: 'src/adapters/publish/hook.ts',
    word: 'setTimeout',
    reason: 'time limit of a command, and the grace before its end',
  },
  { path: 'src/adapters/oauth/http-date.ts', word: 'Date', reason: 'reads the date of an HTTP header' },
  { path: 'src/adapters/publish/sentinel.ts', word: 'Date', reason: 'writes the start of an outage as an ISO moment' },
  {
    path: 'src/adapters/refresh/timer.ts',
    word: 'setTimeout',
    reason: 'time limit of a script, and the grace before its end',
  },
  {
    path: 'src/adapters/stores/settled-read.ts',
    word: 'setTimeout',
    reason: 'a half-written store is read again: its writer sends no event',
  },
  { path: 'src/config/refresh-window.ts', word: 'Date', reason: 'the form in which croner takes a moment' },
  { path: 'src/config/load.ts', word: 'process.env', reason: 'captures the environment once, at start' },
  {
    path: 'src/adapters/stores/program-output.ts',
    word: 'setTimeout',
    reason: 'time limit of a program that prints a token',
  },
  {
    path: 'src/adapters/stores/tool-locks.ts',
    word: 'setTimeout',
    reason: "a tool's lock is polled: a directory says nothing when it is removed",
  },
  {
    path: 'src/adapters/stores/directory-watch.ts',
    word: 'setTimeout',
    reason: 'gathers the many events of one change of a file',
  },
  {
    path: 'src/adapters/service-manager.ts',
    word: 'setInterval',
    reason: 'a life sign must not depend on the alarm for which it vouches',
  },
  { path: 'src/api/timers.ts', word: 'setTimeout', reason: 'deadlines of readers that wait, and of connections' },
  { path: 'src/api/timers.ts', word: 'setInterval', reason: 'the sweep over connections past their deadline' },
  { path: 'src/client/transport.ts', word: 'setTimeout', reason: 'time limit of one request' },
  { path: 'src/client/runtime.ts', word: 'Date', reason: "a token's expiry, in a program that has no other clock" },
  { path: 'src/client/runtime.ts', word: 'setTimeout', reason: 'pauses between tries, and bounds of waits' },
  { path: 'src/client/runtime.ts', word: 'Math.random', reason: 'clients of one daemon must not come at once' },
  { path: 'src/client/runtime.ts', word: 'process.env', reason: 'where the socket is, captured once for each client' },
  { path: 'src/client/holdings.ts', word: 'Date', reason: 'reads the ISO moments of an answer' },
  { path: 'src/cli/time.ts', word: 'Date', reason: "moments in the reader's own time zone" },
  { path: 'src/cli/time.ts', word: 'setTimeout', reason: 'waits between two questions, and a grace' },
  { path: 'src/cli/commands/status.ts', word: 'Date', reason: 'reads the ISO moments of an answer' },
  {
    path: 'src/daemon/time-limit.ts',
    word: 'setTimeout',
    reason: 'bounds waits of seconds on promises that may never settle',
  },
];

const CHECKED_ROOTS = ['src', 'test', 'tools', 'bench', 'scripts', 'bin'];

function checkedFiles(): readonly SourceFile[] {
  return CHECKED_ROOTS.filter((root) => existsSync(root)).flatMap((root) =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:ts|js|mjs|sh)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/'))
      .sort()
      .map((path) => sourceFile(path, readFileSync(path, 'utf8'))),
  );
}

describe('the house rules', () => {
  const files = checkedFiles();

  test('are kept by every file', () => {
    const long = files.filter((file) => file.path.startsWith('src/') && linesOf(file) > FILE_LINES_SOFT);
    if (long.length > 0) {
      console.info(
        `note: over ${FILE_LINES_SOFT} lines: ${long.map((file) => `${file.path} ${linesOf(file)}`).join(', ')}`,
      );
    }
    expect(files.length).toBeGreaterThan(0);
    expect(findings(files, { rooms: ROOMS, allowances: ALLOWANCES })).toEqual([]);
  });

  test('every allowance states a reason', () => {
    for (const { reason } of ALLOWANCES) expect(reason.split(' ').length).toBeGreaterThan(1);
  });
});

describe('the checker', () => {
  const found = (path: string, text: string, allowances: readonly Allowance[] = []) =>
    findings([sourceFile(path, text)], { rooms: ROOMS, allowances }).map(({ rule }) => rule);
  const lines = (count: number, line = 'call();') => Array(count).fill(line).join('\n');
  const body = (head: string, count: number) => `${head} {\n${lines(count - 2)}\n}\n`;
  const [workPath, sharedPath] = [['', 'work', 'main'].join('/'), ['..', 'shared', 'design.md'].join('/')];

  const mutants: readonly (readonly [Rule, string, string, string])[] = [
    ['arrows', 'the core importing a port', 'src/core/step.ts', `import type { Clock } from '../daemon/ports.ts';`],
    ['arrows', 'an engine importing an adapter', 'src/daemon/engine.ts', `import { log } from '../adapters/log.ts';`],
    [
      'arrows',
      'an engine importing one on demand',
      'src/daemon/engine.ts',
      `const a = await import('../adapters/log.ts');`,
    ],
    [
      'arrows',
      'an engine importing the composition root',
      'src/daemon/engine.ts',
      `import { start } from './main.ts';`,
    ],
    ['arrows', 'a re-export', 'src/client/client.ts', `export { step } from '../core/lifecycle.ts';`],
    ['arrows', 'a client running core code', 'src/client/client.ts', `import { epochMs } from '../core/token.ts';`],
    [
      'arrows',
      'an import over several lines',
      'src/api/app.ts',
      `import {\n  type A,\n  b,\n} from '../config/load.ts';`,
    ],
    ['arrows', 'an import for its side effect', 'src/adapters/log.ts', `import '../daemon/engine.ts';`],
    [
      'arrows',
      'the configuration knowing states',
      'src/config/load.ts',
      `import type { Phase } from '../core/state.ts';`,
    ],
    ['arrows', 'a command starting the daemon', 'src/cli/commands/token.ts', `await import('../../daemon/main.ts');`],
    [
      'arrows',
      'run loading the daemon at start',
      'src/cli/commands/run.ts',
      `import { main } from '../../daemon/main.ts';`,
    ],
    ['arrows', 'a file in no room', 'src/helpers/misc.ts', `export const a = 1;`],
    ['packages', 'the core using Node', 'src/core/step.ts', `import { readFileSync } from 'node:fs';`],
    ['packages', 'the core using a library', 'src/core/step.ts', `import { z } from 'zod';`],
    ['packages', 'a heavy library in the client', 'src/client/client.ts', `import { execa } from 'execa';`],
    ['file length', 'a source of 301 lines', 'src/core/step.ts', lines(301)],
    ['file length', 'a test of 501 lines', 'test/core/step.test.ts', lines(501)],
    ['function length', 'a function', 'src/core/a.ts', body('export function step(state: State): Step', 71)],
    [
      'function length',
      'an arrow',
      'tools/a.ts',
      body('const step = async ({ a, b }: Two): Promise<{ c: number }> =>', 71),
    ],
    ['function length', 'a method', 'src/core/a.ts', `class A {\n${body('  run<T>(): T | null', 71)}}`],
    ['function length', 'an arrow as an argument', 'test/a.test.ts', body(`test('x', async () =>`, 121)],
    ['function length', 'one that returns an object', 'src/core/a.ts', body('function a(): { b: (c: D) => void }', 71)],
    [
      'function length',
      'one whose parameters take lines',
      'src/core/a.ts',
      body('function a(\n  b: C,\n): asserts b is D', 69),
    ],
    ['ambient', 'a clock', 'src/core/a.ts', 'const now = Date.now();'],
    ['ambient', 'a date', 'src/daemon/a.ts', 'const now = new Date();'],
    ['ambient', 'chance', 'src/core/a.ts', 'const n = Math.random();'],
    ['ambient', 'a timer', 'src/daemon/a.ts', 'setTimeout(ring, 5);'],
    ['ambient', 'a renamed timer', 'src/api/a.ts', `import { setTimeout as wait } from 'node:timers/promises';`],
    ['ambient', 'an interval', 'src/daemon/a.ts', 'const t = globalThis.setInterval(ring, 5);'],
    ['ambient', 'the environment', 'src/cli/a.ts', 'const { HOME } = process.env;'],
    ['ambient', 'a clock within a template', 'src/core/a.ts', 'const a = `at $' + '{`$' + '{Date.now()}`}`;'],
    ['default export', 'a default export', 'src/core/a.ts', 'export default function a() {}'],
    ['default export', 'a renamed one', 'src/core/a.ts', 'export { a as default };'],
    ['left-over', 'a task in a comment', 'src/core/a.ts', `// ${['TO', 'DO'].join('')}: later`],
    ['left-over', 'a task in a block comment', 'test/a.test.ts', `/* ${['FIX', 'ME'].join('')} */`],
    ['foreign path', 'a path of one machine', 'test/a.test.ts', `const path = '${workPath}';`],
    ['foreign path', 'a folder outside the checkout', 'scripts/a.sh', `cat ${sharedPath}`],
  ];

  test.each(mutants)('%s: rejects %s', (rule, _name, path, text) => {
    expect(found(path, text)).toEqual([rule]);
  });

  test('rejects an allowance that nobody uses', () => {
    const row: Allowance = { path: 'src/core/a.ts', word: 'Date', reason: 'was once needed' };
    expect(found('src/core/a.ts', 'const now = Date.now();', [row])).toEqual([]);
    expect(found('src/core/a.ts', 'const now = 1;', [row])).toEqual(['unused allowance']);
    expect(found('src/core/b.ts', 'const now = 1;', [row])).toEqual(['unused allowance']);
  });

  test.each([
    [
      'words in comments, strings, patterns and longer names',
      `// new Date()\nconst a = 'setTimeout'; const b = /Date'/; /* process.env */ const UpdateDate = 1;`,
    ],
    ['what follows a division or a pattern', 'const a = b / c; const d = /[/"]/.test(e) ? f / g : `x`;'],
    ['a method called from', "const a = Buffer.from('b', 'latin1');"],
    ['70 lines', body('function step(state: State): Step', 70)],
    [
      'long objects, conditions and loops',
      `const a = {\n${lines(80, 'b: c(d),')}\n};\n${body('if (a)', 80)}${body('for await (const x of y())', 80)}`,
    ],
    ['long tables behind a conditional', `const a = b ? (c) : {\n${lines(80, 'd: e,')}\n};`],
    ['types of a neighbour', `import type { A } from './effect.ts';\nexport type { B } from './state.ts';`],
  ])('accepts %s', (_name, text) => {
    expect(found('src/core/a.ts', text)).toEqual([]);
  });

  test('accepts the daemon on demand in run, core types in the client, Node in an adapter', () => {
    expect(found('src/cli/commands/run.ts', `const { main } = await import('../../daemon/main.ts');`)).toEqual([]);
    expect(found('src/client/client.ts', `import type { EpochMs } from '../core/token.ts';`)).toEqual([]);
    expect(found('src/adapters/a.ts', `import { open } from 'node:fs/promises';`)).toEqual([]);
  });
});
