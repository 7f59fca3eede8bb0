/** A chain of which one member goes into Authorization and the other into a header of its own, with the whole program. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/index.ts';
import { configure, demo, seed, startServer, stored } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const KEY = 'key-from-the-environment';

async function arrangeChain() {
  const authorization = await startServer(600);
  const workshop = createWorkshop();
  const key = { static: '$' + '{env:DEMO_KEY}', scheme: 'x-api-key' };
  const chains = { any: ['claude', 'key'], keys: ['key'] };
  configure(workshop, { claude: demo(authorization, { publish: [] }), key }, {}, { chains });
  seed(workshop, authorization);
  await workshop.start().ready();
  return workshop;
}

/** Lets in who shows the key, and sends away who asks for `/moved`. */
async function startResource() {
  const seen: Partial<IncomingHttpHeaders>[] = [];
  const server = createServer(({ url, headers }, response) => {
    const { authorization, 'x-api-key': key } = headers;
    seen.push({ ...(authorization && { authorization }), ...(key && { 'x-api-key': key }) });
    if (url === '/moved') response.writeHead(302, { location: `http://localhost:${port}/` }).end();
    else response.writeHead(key === KEY ? 200 : 401).end();
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { seen, url: `http://127.0.0.1:${port}` };
}

async function run(workshop: Workshop, program: string, ...args: string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: workshop.directory,
    env: {
      PATH: process.env.PATH,
      HOME: workshop.directory,
      FRESHD_SOCKET: 'freshd.sock',
      PYTHONPATH: resolve('clients/python'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return printed;
}

const freshd = (workshop: Workshop, ...args: string[]) =>
  run(workshop, process.execPath, resolve('bin/freshd.js'), ...args);

test('C3: after a 401 client.fetch places the token of the next member as that one wants it, and nothing of the first', async () => {
  const workshop = await arrangeChain();
  const resource = await startResource();
  const client = await connect({ socketPath: workshop.path('freshd.sock') });
  onTestFinished(() => client.close());
  expect(client.token('any').scheme).toBe('bearer');
  expect((await client.fetch('any', resource.url)).status).toBe(200);
  expect(resource.seen).toEqual([{ authorization: `Bearer ${stored(workshop).access_token}` }, { 'x-api-key': KEY }]);
  expect(client.token('any')).toMatchObject({ credential: 'key', scheme: 'x-api-key' });

  const moved = await client.fetch('keys', `${resource.url}/moved`);
  expect([moved.status, resource.seen.length]).toEqual([302, 3]);
});

test('the answer, the header line and curl say so too', async () => {
  const workshop = await arrangeChain();
  const resource = await startResource();
  expect((await workshop.get('/v1/tokens/claude')).body.scheme).toBe('bearer');
  expect((await workshop.get('/v1/tokens/keys')).body).toMatchObject({ credential: 'key', scheme: 'x-api-key' });
  expect(await freshd(workshop, 'token', 'keys', '--format', 'header')).toBe(`x-api-key: ${KEY}\n`);
  expect(await freshd(workshop, 'token', 'claude', '--format', 'header')).toMatch(/^Authorization: Bearer \S+\n$/);
  const command = `"$1" "$2" token key --format header | curl -s -o /dev/null -w '%{http_code}' -H @- "$3"`;
  const curl = ['-c', command, 'sh', process.execPath, resolve('bin/freshd.js'), resource.url];
  expect(await run(workshop, 'sh', ...curl)).toBe('200');
});

test('C3: the Python client places it in the same way', async (ctx) => {
  const python = spawnSync('python3', ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' });
  if (python.stdout !== 'True\n') ctx.skip('needs python3 3.9 or later');
  const workshop = await arrangeChain();
  const resource = await startResource();
  const program = `import freshd, urllib.request
client = freshd.connect()
print(client.urlopen('any', urllib.request.Request('${resource.url}')).status, client.token('any').scheme)`;
  expect(await run(workshop, 'python3', '-c', program)).toBe('200 x-api-key\n');
  expect(resource.seen.map((headers) => Object.keys(headers))).toEqual([['authorization'], ['x-api-key']]);
});
