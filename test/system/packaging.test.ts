/** The packed package, installed as its users do: in a clean directory, on every Node that it names, with and without optional parts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configure, demo, seed, startServer } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

const home = mkdtempSync(join(tmpdir(), 'freshd-packaging-'));
const at = (...parts: readonly string[]) => join(home, ...parts);
const text = (argv: readonly [string, ...string[]], cwd = home) =>
  execFileSync(argv[0], argv.slice(1), { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const FLAVOURS = { whole: [], 'without optional parts': ['--omit=optional'] } as const;
type Flavour = keyof typeof FLAVOURS;

/** The one that runs the tests stands for Node 20; the others come as packages, if the registry can be reached. */
const NODES = [20, 22, 24, 26] as const;
const nodePath = (major: number) =>
  major === 20 ? process.execPath : at('nodes', 'node_modules', `node-${major}`, 'bin/node');

beforeAll(() => {
  // What `npm run build` made for all system tests: scripts are off, so that nobody's dist changes under their feet.
  text(['npm', 'pack', '--ignore-scripts', '--pack-destination', home], resolve('.'));
  for (const [flavour, options] of Object.entries(FLAVOURS)) {
    mkdirSync(at(flavour));
    writeFileSync(at(flavour, 'package.json'), '{"type":"module"}');
    text(['npm', 'install', '--no-audit', '--no-fund', ...options, at(tarball())], at(flavour));
  }
  mkdirSync(at('nodes'));
  writeFileSync(at('nodes/package.json'), '{}');
  const others = NODES.filter((major) => major !== 20).map(
    (major) => `node-${major}@npm:node-${process.platform}-${process.arch}@${major}`,
  );
  spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...others], { cwd: at('nodes') });
}, 240_000);

afterAll(() => rmSync(home, { recursive: true, force: true }));

const tarball = (): string => readdirSync(home).find((name) => name.endsWith('.tgz')) ?? 'no tarball';
const packageAt = (flavour: Flavour) => at(flavour, 'node_modules/freshd');

const PROGRAM = `
import { connect } from 'freshd';
const client = await connect({ socketPath: process.argv[2] });
const { accessToken, generation } = await client.waitForToken('demo');
console.log(JSON.stringify({ hasToken: accessToken.length > 0, isGeneration: generation > 1 }));
await client.close();
`;

describe.each(Object.keys(FLAVOURS) as Flavour[])('installed %s', (flavour) => {
  test.for(NODES)('runs on Node %i: daemon, command line and library', async (major, ctx) => {
    if (!existsSync(nodePath(major))) ctx.skip(`Node ${major} could not be installed from the registry`);
    const node = nodePath(major);
    expect(text([node, '--version'])).toMatch(`v${major}.`);
    const server = await startServer(60);
    const workshop = createWorkshop();
    configure(workshop, { demo: demo(server) });
    const { access_token } = seed(workshop, server);
    const program = join(packageAt(flavour), 'bin/freshd.js');
    const daemon = await workshop.startInstalled(node, program).ready();
    const socket = workshop.path('freshd.sock');
    expect(text([node, program, 'token', 'demo', '--socket', socket])).toBe(`${access_token}\n`);
    writeFileSync(at(flavour, 'program.js'), PROGRAM);
    expect(JSON.parse(text([node, 'program.js', socket], at(flavour)))).toEqual({ hasToken: true, isGeneration: true });
    expect(daemon.stderr()).toBe('');
    expect(await daemon.end('SIGTERM')).toBe(0);
  });

  test('no package of it runs anything while it is installed', () => {
    const modules = readdirSync(at(flavour, 'node_modules'), { recursive: true, encoding: 'utf8' });
    const manifests = modules.filter((path) => /(^|\/)(@[^/]+\/)?[^/@]+\/package\.json$/.test(path));
    const scripts = manifests.flatMap((path) => {
      const { name, scripts = {} } = JSON.parse(readFileSync(at(flavour, 'node_modules', path), 'utf8')) as {
        name?: string;
        scripts?: Record<string, string>;
      };
      return ['preinstall', 'install', 'postinstall']
        .filter((step) => step in scripts)
        .map((step) => `${name}: ${step}`);
    });
    expect(scripts.filter((step) => step.startsWith('freshd:'))).toEqual([]);
    expect(scripts).toEqual(flavour === 'whole' ? ['koffi: install'] : []);
  });
});

test('the README states how many packages come with it', () => {
  const lock = JSON.parse(readFileSync(at('whole', 'node_modules/.package-lock.json'), 'utf8')) as { packages: object };
  // Parts of koffi for other machines are listed there, too, but not installed.
  const installed = Object.keys(lock.packages).filter((path) => existsSync(at('whole', path)));
  expect(readFileSync('README.md', 'utf8')).toContain(`brings ${installed.length - 1} others`);
});

test('publint has nothing to say about the package', async () => {
  cpSync(packageAt('whole'), at('linted'), { recursive: true });
  const { messages } = await publint({ pkgDir: at('linted'), strict: true, pack: false });
  expect(messages).toEqual([]);
});
