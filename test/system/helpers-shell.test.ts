/** Recipes that need no more than a shell, and those of programs whose side is played by their documentation. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { adapted, arrangeRecipes, NOT_INSTALLED, recipe } from './recipes.ts';

/** Answers what it was sent as Authorization. */
async function startEcho(): Promise<string> {
  const server = createServer(({ headers }, response) => response.end(`got ${headers.authorization ?? 'nothing'}`));
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const NOT_FOUND_BY_SHELL = 127;

describe('a shell', () => {
  test('sends the header by curl, and asks nobody without a token', async (ctx) => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('api', 'at-1');
    const script = adapted(recipe('Shell and curl', 'sh'), { 'https://api.example.com': await startEcho() });
    const sent = await run(['sh', '-c', script]);
    if (sent.exitCode === NOT_FOUND_BY_SHELL) return ctx.skip(`curl ${NOT_INSTALLED}`);
    expect(sent).toEqual({ exitCode: 0, stdout: 'got Bearer at-1', stderr: '' });
    daemon.load('api', null);
    daemon.advance(9 * HOUR_MS);
    const refused = run(['sh', '-c', `{\n${adapted(script, { '1m': '1m --wait 0s' })}} || echo "not sent"`]);
    expect(await refused).toMatchObject({ stdout: 'not sent\n', stderr: expect.stringMatching(/^freshd: api /) });
  });

  test('takes the token into a variable', async () => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('api', 'at-1');
    const { stdout } = await run(['sh', '-c', `${recipe('Shell and curl', 'sh', 1)}printenv API_TOKEN`]);
    expect(stdout).toBe('at-1\n');
  });

  test('runs a job, and a service that is restarted', async () => {
    const { daemon, run, write } = await arrangeRecipes();
    daemon.load('api', 'at-1');
    write('job.sh', '#!/bin/sh\nprintenv API_TOKEN API_TOKEN_EXPIRES_AT\nexit 3\n', 0o700);
    const expiresAt = Date.parse('2026-11-22T20:00:00Z') / 1000;
    const ran = await run(['sh', '-c', recipe('Any program', 'sh')]);
    expect(ran).toEqual({ exitCode: 3, stdout: `at-1\n${expiresAt}\n`, stderr: '' });
    write('serve.sh', '#!/bin/sh\nprintenv API_TOKEN\n', 0o700);
    const served = await run(['sh', '-c', recipe('Any program', 'sh', 1)]);
    expect(served).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
  });
});

describe('cron', () => {
  test('runs the job in the environment of the crontab alone', async () => {
    const { daemon, run, write, home, socketPath } = await arrangeRecipes();
    daemon.load('api', 'at-1');
    write('job.sh', '#!/bin/sh\nprintenv API_TOKEN\n', 0o700);
    const crontab = adapted(recipe('cron', 'crontab'), {
      '/usr/local/bin:': `${home}/bin:${process.env.PATH}:`,
      '/run/user/1000/freshd/freshd.sock': socketPath,
    });
    const lines = crontab.trim().split('\n');
    const environment = Object.fromEntries(lines.slice(0, -1).map((line) => line.split('=', 2)));
    const job = lines.at(-1)?.replace(/^(?:\S+ ){5}/, '') ?? '';
    const env = { ...environment, HOME: home, SHELL: '/bin/sh' };
    expect(
      await run([
        '/usr/bin/env',
        '-i',
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        '/bin/sh',
        '-c',
        job,
      ]),
    ).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
  });
});

describe('Claude Code', () => {
  test('runs its helper by /bin/sh and takes what it prints', async () => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('claude', 'at-1');
    const { apiKeyHelper, env } = JSON.parse(recipe('Claude Code', 'json')) as { apiKeyHelper: string; env: object };
    expect(await run(['/bin/sh', '-c', apiKeyHelper])).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
    expect(env).toEqual({ CLAUDE_CODE_API_KEY_HELPER_TTL_MS: expect.stringMatching(/^\d+$/) });
  });

  test('finds the token of a subscription in its environment', async () => {
    const { daemon, run, write } = await arrangeRecipes();
    daemon.load('claude', 'at-1');
    write('bin/claude', '#!/bin/sh\nprintenv CLAUDE_CODE_OAUTH_TOKEN\necho "$@"\n', 0o700);
    const ran = await run(['sh', '-c', recipe('Claude Code', 'sh')]);
    expect(ran).toEqual({ exitCode: 0, stdout: 'at-1\n-p say ok\n', stderr: '' });
  });
});

describe('Codex', () => {
  test('runs command and arguments, and takes what is printed', async () => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('codex', 'at-1');
    const text = recipe('Codex', 'toml');
    // Strings and lists of strings are written alike in TOML and JSON.
    const value = (key: string): unknown => JSON.parse(new RegExp(`^${key} = (.*)$`, 'm').exec(text)?.[1] ?? '');
    const argv = [String(value('command')), ...(value('args') as string[])];
    expect(await run(argv)).toEqual({ exitCode: 0, stdout: 'at-1\n', stderr: '' });
    expect(text).toMatch(/^\[model_providers\.\w+\.auth\]$/m);
  });
});

describe('Docker', () => {
  test('calls the helper that its configuration names, with an operation and a server', async () => {
    const { daemon, run, write } = await arrangeRecipes();
    daemon.load('registry', 'at-1');
    const { credHelpers } = JSON.parse(recipe('Docker registries', 'json')) as { credHelpers: Record<string, string> };
    const [[server, suffix] = []] = Object.entries(credHelpers);
    write(`bin/docker-credential-${suffix}`, recipe('Docker registries', 'sh'), 0o700);
    const ask = (operation: string) => run([`docker-credential-${suffix}`, operation], { input: `${server}` });
    const got = await ask('get');
    expect([got.exitCode, JSON.parse(got.stdout)]).toEqual([
      0,
      { ServerURL: server, Username: 'oauth2', Secret: 'at-1' },
    ]);
    expect(await ask('list')).toMatchObject({ exitCode: 0, stdout: '{}\n' });
    expect(await ask('store')).toMatchObject({ exitCode: 65, stdout: '' });
  });
});

describe('Google Cloud', () => {
  const JWT = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln';

  test('runs the executable of a credential file, and gets the document that its libraries want', async () => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('oidc', JWT);
    const file = JSON.parse(recipe('Google Cloud', 'json')) as {
      subject_token_type: string;
      credential_source: { executable: { command: string } };
    };
    const env = { GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: file.subject_token_type };
    const { command } = file.credential_source.executable;
    // The libraries split it like a shell would, and start it without one.
    const ran = await run(command.split(' '), { env });
    expect(JSON.parse(ran.stdout)).toMatchObject({
      version: 1,
      success: true,
      token_type: file.subject_token_type,
      id_token: JWT,
    });
    daemon.load('oidc', 'opaque');
    const refused = await run(command.split(' '), { env });
    expect([refused.exitCode, JSON.parse(refused.stdout)]).toMatchObject([
      78,
      { version: 1, success: false, code: '78' },
    ]);
  });
});

describe('gcloud', () => {
  test('reads the token file', async (ctx) => {
    const { run, write, home } = await arrangeRecipes();
    write('freshd/tokens/gcp', 'ya29.at-1');
    const ran = await run(['sh', '-c', `${recipe('Google Cloud', 'sh')}gcloud auth print-access-token`], {
      env: { XDG_RUNTIME_DIR: home },
    });
    if (ran.exitCode === NOT_FOUND_BY_SHELL) return ctx.skip(`gcloud ${NOT_INSTALLED}`);
    expect(ran).toMatchObject({ exitCode: 0, stdout: 'ya29.at-1\n' });
  });
});

describe('mail programs that want the whole response', () => {
  test('get it in base64', async () => {
    const { daemon, run } = await arrangeRecipes();
    daemon.load('mail', 'at-1');
    const { stdout } = await run(['sh', '-c', recipe('Mail', 'sh')]);
    expect(atob(stdout)).toBe('user=jane@example.com\x01auth=Bearer at-1\x01\x01');
  });
});

describe('systemd', () => {
  test('is told by a hook: the publications are a configuration that freshd accepts', async () => {
    const { run, write } = await arrangeRecipes();
    write('bot/.env', '');
    write('bin/systemctl', '#!/bin/sh\n', 0o755);
    const credentials = `"claude": { "store": { "format": "claude-code" }, "refresh": { "follow": true }, ${recipe('systemd', 'json')} }`;
    const config = write(
      'config.json',
      `{ "credentials": { ${credentials} }, "alerts": { "sinks": [{ "type": "log" }] } }`,
    );
    const checked = await run(['freshd', 'check', '--config', config]);
    expect([checked.exitCode, checked.stderr]).toEqual([0, '']);
  });
});
