/** `freshd alert test`, with real sinks: a server on loopback and a program. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runIn } from './arrange.ts';

const SECRET = 's3cr3tw0rd';

async function arrange(status: number) {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-alert-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    request.on('data', (chunk) => bodies.push(String(chunk))).on('end', () => response.writeHead(status).end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sinks = [
    { type: 'log' },
    { type: 'slack', url: `http://${host}/${SECRET}` },
    { type: 'command', command: ['/bin/sh', '-c', 'cat >heard.json'] },
  ];
  const config = join(directory, 'config.json');
  writeFileSync(config, JSON.stringify({ credentials: {}, stateDirectory: 'state', alerts: { sinks } }), {
    mode: 0o600,
  });
  const run = (...words: string[]) =>
    runIn({ env: { PATH: process.env.PATH } }, 'alert', 'test', ...words, '--config', config);
  return { directory, host, bodies, run };
}

test('A8: each sink gets one message that says it is a test', async () => {
  const { directory, host, bodies, run } = await arrange(200);
  const ran = await run();
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
  expect(ran.stdout).toContain(`slack:${host}: accepted\n`);
  expect(ran.stdout).toContain('log: accepted\n');
  expect(JSON.parse(bodies.join('')).text).toMatch(/^freshd: this is a test\n/);
  expect(JSON.parse(readFileSync(join(directory, 'heard.json'), 'utf8'))).toMatchObject({
    kind: 'test',
    title: 'freshd: this is a test',
  });
});

test('one sink can be meant by its type; others stay silent', async () => {
  const { bodies, host, run } = await arrange(200);
  expect(await run('slack')).toEqual({ exitCode: 0, stdout: `slack:${host}: accepted\n`, stderr: '' });
  expect(bodies).toHaveLength(1);
  expect(await run('discord')).toMatchObject({
    exitCode: 78,
    stderr: expect.stringContaining('discord: expected the type or name of a sink'),
  });
});

test('a sink that refuses is said with its status and remedy, without its address, and keeps no other away', async () => {
  const { host, run } = await arrange(404);
  const { exitCode, stdout, stderr } = await run();
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(`freshd: slack:${host}: expected a status of 200 to 299, got 404; check the address`);
  expect(stdout).toContain('log: accepted\n');
  expect(stdout + stderr).not.toContain(SECRET);
});

test('anything but test is refused', async () => {
  expect(await runIn({}, 'alert', 'loudly')).toEqual({
    exitCode: 64,
    stdout: '',
    stderr: 'freshd: expected alert test, got alert "loudly"\n',
  });
});
