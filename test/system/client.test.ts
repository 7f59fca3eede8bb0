/** The client libraries and the recipes of docs/api.md, against the whole program and a real authorization server. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Client, connect, type Token } from '../../src/index.ts';
import { configure, demo, eventually, refreshed, seed, startServer } from './arrange.ts';
import { createWorkshop, type RunningDaemon, type Workshop } from './workshop.ts';

async function startClaude(lifeSeconds: number, { others = {}, chains = {} } = {}) {
  const server = await startServer(lifeSeconds);
  const workshop = createWorkshop();
  configure(workshop, { claude: demo(server), ...others }, { refreshMarginMinutes: lifeSeconds / 60 / 4 }, { chains });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  return { server, workshop, daemon, socketPath: workshop.path('freshd.sock') };
}

async function connectTo(workshop: Workshop, consumer = 'system-test'): Promise<Client> {
  const client = await connect({ socketPath: workshop.path('freshd.sock'), consumer });
  onTestFinished(() => client.close());
  return client;
}

const isToken = (value: unknown): value is Token => value !== undefined;
const refreshes = ({ records }: RunningDaemon) => records.filter(refreshed).length;

describe('the client library', () => {
  test('hears of each refresh, and is known to have the newest', async () => {
    const { workshop, daemon } = await startClaude(4);
    const client = await connectTo(workshop);
    const told: Token[] = [];
    client.on('token', (token) => told.push(token));
    await eventually(() => told.length >= 2);
    expect(told.map(({ generation }) => generation)).toEqual(
      told.map(({ generation }) => generation).toSorted((a, b) => a - b),
    );
    expect(client.token('claude').accessToken).toBe(told.at(-1)?.accessToken);
    expect(refreshes(daemon)).toBeGreaterThanOrEqual(2);
  });

  test('A6, B2: a thousand 401s at once are one refresh, and every request is answered by the new token', async () => {
    const { server, workshop, daemon } = await startClaude(600);
    const clients = await Promise.all(Array.from({ length: 10 }, (_, n) => connectTo(workshop, `worker-${n}`)));
    server.revokeAccess();
    const url = `${server.url}/resource`;
    const calls = Array.from({ length: 1_000 }, (_, n) => clients[n % clients.length]?.fetch('claude', url));
    const statuses = await Promise.all(calls.map(async (call) => (await call)?.status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(refreshes(daemon)).toBe(1);
    expect(server.state().requests).toMatchObject({ refreshed: 1, refused: 0 });
  });

  test('a restart of the daemon leaves no gap: there is a token at every moment, and the newest in the end', async () => {
    const { workshop, daemon } = await startClaude(600);
    const client = await connectTo(workshop);
    const first = client.token('claude');
    let looks = 0;
    const looking = setInterval(() => {
      looks += Number(isToken(client.token('claude')));
    }, 1);
    onTestFinished(() => clearInterval(looking));
    const gone = new Promise((resolve) => client.on('disconnected', resolve));
    await daemon.end('SIGTERM');
    await gone;
    const { accessToken, generation } = first;
    expect(client.token('claude')).toMatchObject({ accessToken, generation, stale: true });
    const back = new Promise((resolve) => client.on('connected', () => resolve(null)));
    await workshop.start().ready();
    await back;
    expect(client.token('claude')).toEqual(first);
    expect(looks).toBeGreaterThan(10);
  });

  test('a daemon that was killed is found again by all of a hundred clients', async () => {
    const { workshop, daemon } = await startClaude(600);
    const clients = await Promise.all(Array.from({ length: 100 }, (_, n) => connectTo(workshop, `worker-${n}`)));
    await daemon.end('SIGKILL');
    await eventually(() => clients.every(({ isConnected }) => !isConnected));
    await workshop.start().ready();
    await eventually(() => clients.every(({ isConnected }) => isConnected));
    expect(new Set(clients.map((client) => client.token('claude').stale))).toEqual(new Set([false]));
  });

  test('keeps no program alive that has nothing left to do, and one that waits until it has', async () => {
    const { workshop } = await startClaude(600);
    const run = async (rest: string) => {
      const program = `import { connect } from ${JSON.stringify(resolve('dist/index.js'))};
        const client = await connect({ socketPath: 'freshd.sock' }); ${rest}`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: workshop.directory });
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += String(chunk);
      });
      const [code] = await once(child, 'close');
      return [code, text];
    };
    expect(await run(`console.log(client.token('claude').credential);`)).toEqual([0, 'claude\n']);
    const waiting = `const { generation } = client.token('claude');
      setTimeout(() => client.fetch('claude', 'http://127.0.0.1:1/').catch(() => console.log('refused')), 10).unref();
      await client.waitForToken('claude', { afterGeneration: generation, timeoutMs: 400 }).catch(({ code }) => console.log(code));`;
    expect(await run(waiting)).toEqual([0, 'refused\ntimeout\n']);
    // The daemon holds what was asked for a minute, which is longer than this test may take.
    const given = `const { generation } = client.token('claude');
      await client.waitForToken('claude', { afterGeneration: generation, signal: AbortSignal.timeout(300) })
        .catch(({ name }) => console.log(name));`;
    expect(await run(given)).toEqual([0, 'TimeoutError\n']);
  });

  test('F62: another user cannot even connect', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('needs root, to become another user');
    const { workshop } = await startClaude(600);
    const program = `require('node:net').connect(process.argv[1]).on('error', ({ code }) => console.log(code))
      .on('connect', () => { console.log('connected'); process.exit(); });`;
    const asNobody = { uid: 65_534, gid: 65_534, encoding: 'utf8', cwd: '/' } as const;
    const { stdout } = spawnSync(process.execPath, ['-e', program, workshop.path('freshd.sock')], asNobody);
    expect(stdout).toBe('EACCES\n');
  });
});

describe('the Python client', () => {
  const python = spawnSync('python3', ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' });
  const hasPython = python.stdout === 'True\n';

  function runPython(workshop: Workshop, program: string): ChildProcess & { text(): string } {
    const child = spawn('python3', ['-c', `import freshd, urllib.request, urllib.error\n${program}`], {
      cwd: workshop.directory,
      env: {
        PATH: process.env.PATH,
        PYTHONPATH: resolve('clients/python'),
        // The checkout stays as it is.
        PYTHONDONTWRITEBYTECODE: '1',
        FRESHD_SOCKET: 'freshd.sock',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
    }
    return Object.assign(child, { text: () => text });
  }

  async function printed(workshop: Workshop, program: string): Promise<string> {
    const child = runPython(workshop, program);
    await once(child, 'close');
    return child.text();
  }

  test('reads a token, waits for more of it, and shows it in no repr', async (ctx) => {
    if (!hasPython) ctx.skip('needs python3 3.9 or later');
    const { workshop } = await startClaude(600);
    const token = JSON.parse(workshop.read('demo.json')).access_token;
    expect(await printed(workshop, `print(freshd.connect().token('claude').access_token)`)).toBe(`${token}\n`);
    expect(await printed(workshop, `print(freshd.connect().token('claude', min_valid=60, wait=5))`)).not.toContain(
      token,
    );
    const text = await printed(workshop, `print(next(iter(freshd.connect().events())))`);
    expect(text).toContain("type='token'");
    expect(text).not.toContain(token);
  });

  test('says what goes wrong, typed: an unknown name with the nearest, no daemon with how to start one', async (ctx) => {
    if (!hasPython) ctx.skip('needs python3 3.9 or later');
    const { workshop, daemon } = await startClaude(600);
    const unknown = `try: freshd.connect().token('cluade')\nexcept freshd.FreshdError as e: print(e.code, e.nearest)`;
    expect(await printed(workshop, unknown)).toBe('unknown_credential claude\n');
    const listed = `try: list(freshd.connect().events(['cluade']))\nexcept freshd.FreshdError as e: print(e.code, e.nearest)`;
    expect(await printed(workshop, listed)).toBe('unknown_credential claude\n');
    // Longer than the daemon admits in one request is as long as it admits.
    const patient = `c = freshd.connect(); t = c.token('claude', wait=120); print(c.report('claude', t.generation - 1, wait=120).generation == t.generation)`;
    expect(await printed(workshop, patient)).toBe('True\n');
    await daemon.end('SIGTERM');
    const gone = `try: freshd.connect()\nexcept freshd.FreshdError as e: print(e.code, e)`;
    expect(await printed(workshop, gone)).toMatch(
      /^no_daemon nobody listens on .*freshd\.sock; start it with: freshd run\n$/,
    );
  });

  test('B2: reports a 401 and sends the request once more; with a body that cannot be sent again, it only reports', async (ctx) => {
    if (!hasPython) ctx.skip('needs python3 3.9 or later');
    const { server, workshop, daemon } = await startClaude(600);
    server.revokeAccess();
    const get = `client = freshd.connect(consumer='py')
print(client.urlopen('claude', urllib.request.Request('${server.url}/resource')).status)`;
    expect(await printed(workshop, get)).toBe('200\n');
    expect(refreshes(daemon)).toBe(1);
    server.revokeAccess();
    const stream = `client = freshd.connect(consumer='py-2')
data, headers = iter([b'a']), {'Content-Length': '1'}
request = urllib.request.Request('${server.url}/resource', data=data, headers=headers, method='GET')
try: client.urlopen('claude', request)
except urllib.error.HTTPError as e: print(e.code)`;
    expect(await printed(workshop, stream)).toBe('401\n');
    await eventually(() => refreshes(daemon) === 2);
    expect(server.state().requests).toMatchObject({ resource: 3, rejected: 2 });
  });

  test('hears of each new token, over a restart of the daemon too', async (ctx) => {
    if (!hasPython) ctx.skip('needs python3 3.9 or later');
    const { server, workshop, daemon } = await startClaude(600);
    const program = `for event in freshd.connect(consumer='py').events(['claude']):
    print(event.type, event.data.get('generation', ''), flush=True)`;
    const child = runPython(workshop, program);
    const lines = () =>
      child
        .text()
        .split('\n')
        .filter((line) => line !== '');
    await eventually(() => lines().some((line) => line.startsWith('synchronized')));
    const { body } = await workshop.get('/v1/tokens/claude');
    expect(lines()[0]).toBe(`token ${body.generation}`);
    await daemon.end('SIGTERM');
    await workshop.start().ready();
    await eventually(() => lines().filter((line) => line.startsWith('synchronized')).length === 2);
    server.revokeAccess();
    const report = `freshd.connect(consumer='x').report('claude', ${body.generation}, wait=20)`;
    expect(await printed(workshop, report)).toBe('');
    await eventually(() => lines().some((line) => /^token /.test(line) && line !== `token ${body.generation}`));
  });
});

describe('docs/api.md', () => {
  const document = readFileSync('docs/api.md', 'utf8');
  const recipes = [...document.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, text = '']) => text).filter(isCall);
  const hasCurl = spawnSync('curl', ['--version']).status === 0;

  function isCall(text: string): boolean {
    return text.includes('curl');
  }

  /** Streams never end by themselves: what they say first is enough. */
  function run(workshop: Workshop, recipe: string): Promise<string> {
    // A runtime directory with the socket in it, as the document assumes, and the generation that is there.
    const setUp = `curl() { command curl -sS "$@"; }\nSOCKET=${workshop.path('freshd.sock')}`;
    const text = recipe.replace(/^SOCKET=.*$/m, '');
    const child = spawn('sh', ['-ec', `${setUp}\n${text}`], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    return new Promise((done) => {
      let output = '';
      const end = () => {
        if (output.includes('event: synchronized')) process.kill(-Number(child.pid), 'SIGKILL');
      };
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          output += chunk;
          end();
        });
      }
      child.on('close', () => done(output));
    });
  }

  test('has recipes that all work as they stand', async (ctx) => {
    if (!hasCurl) ctx.skip('needs curl');
    const key = { static: '$' + '{env:DEMO_KEY}' };
    const chains = { anthropic: ['claude', 'key'] };
    const { workshop } = await startClaude(3_600, { others: { key }, chains });
    const { body } = await workshop.get('/v1/tokens/claude');
    expect(recipes.length).toBeGreaterThan(8);
    // At once: one waits for a newer generation, which the report of another one brings.
    const outputs = recipes.map((recipe) => run(workshop, recipe.replaceAll('1795348801', String(body.generation))));
    for (const [index, recipe] of recipes.entries()) {
      const output = await outputs[index];
      expect(output, recipe).not.toMatch(/^\{"error":|\}\{"error":|^curl: |: not found$/m);
    }
  });
});
