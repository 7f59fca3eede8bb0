/** git as it is installed, cloning over HTTP from a server that wants the token as password. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { stateOf } from '../cli/arrange.ts';
import { adapted, arrangeRecipes, lifeByBothClocksMs, NOT_INSTALLED, recipe } from './recipes.ts';

interface GitServer {
  readonly port: number;
  /** The only password that is let in. */
  password: string;
  /** What came as Authorization, decoded; null: none. */
  readonly seen: (string | null)[];
}

async function startGitServer(projects: string): Promise<GitServer> {
  const seen: (string | null)[] = [];
  const http = createServer((request, response) => {
    const { authorization } = request.headers;
    const login = authorization === undefined ? null : atob(authorization.replace(/^Basic /, ''));
    seen.push(login);
    if (login === `oauth2:${server.password}`) return answerByGit(projects, request, response);
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
  });
  onTestFinished(() => void http.close());
  await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
  const server: GitServer = { port: (http.address() as AddressInfo).port, password: 'at-1', seen };
  return server;
}

/** git's own server, as CGI. */
function answerByGit(projects: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const env = {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: projects,
    GIT_HTTP_EXPORT_ALL: '1',
    // The tests' own user owns the repository, or root looks at another's.
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    REQUEST_METHOD: request.method,
    PATH_INFO: pathname,
    QUERY_STRING: search.slice(1),
    CONTENT_TYPE: request.headers['content-type'],
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
    GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
  };
  const cgi = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  request.pipe(cgi.stdin);
  const chunks: Buffer[] = [];
  cgi.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  cgi.on('close', () => {
    const answer = Buffer.concat(chunks);
    const headEnd = answer.indexOf('\r\n\r\n');
    const headers = answer.toString('latin1', 0, headEnd).split('\r\n');
    for (const line of headers) {
      const [name = '', value = ''] = line.split(': ', 2);
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(headEnd + 4));
  });
}

const AUTHOR = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];

/** A home with the recipe in its .gitconfig, and a server with one repository. */
async function arrangeGit(ctx: TestContext) {
  const arranged = await arrangeRecipes();
  const { run, home, write, daemon } = arranged;
  const made = await run(['git', 'init', '-q', '-b', 'main', 'projects/r.git']);
  if (made.exitCode === null) return ctx.skip(`git ${NOT_INSTALLED}`);
  await run(['git', '-C', 'projects/r.git', ...AUTHOR, 'commit', '-q', '--allow-empty', '-m', 'first']);
  const server = await startGitServer(`${home}/projects`);
  const origin = `http://127.0.0.1:${server.port}`;
  write('.gitconfig', adapted(recipe('git', 'ini'), { 'https://git.example.com': origin }));
  daemon.load('git', 'at-1', lifeByBothClocksMs());
  const git = (...argv: string[]) => run(['git', ...argv], { env: { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' } });
  return { ...arranged, server, git, url: `${origin}/r.git` };
}

describe('git', () => {
  test('clones with the token as password, and with the next one when there is one', async (ctx) => {
    const { git, url, server, daemon } = await arrangeGit(ctx);
    expect(await git('clone', '-q', url, 'copy')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect((await git('-C', 'copy', 'log', '--format=%s')).stdout).toBe('first\n');
    daemon.load('git', 'at-2', lifeByBothClocksMs());
    server.password = 'at-2';
    expect((await git('-C', 'copy', 'fetch', '-q')).exitCode).toBe(0);
    expect(new Set(server.seen)).toEqual(new Set([null, 'oauth2:at-1', 'oauth2:at-2']));
  });

  test('A6: its 401 starts a refresh, and the next call has the new token', async (ctx) => {
    const { git, url, server, daemon } = await arrangeGit(ctx);
    server.password = 'at-2';
    const refused = await git('ls-remote', url);
    expect([refused.exitCode, refused.stderr]).toEqual([128, expect.stringContaining('Authentication failed')]);
    const { generation } = stateOf(daemon, 'git');
    const reports = daemon.events.filter(({ event }) => event.type === 'rejection_reported');
    expect(reports).toEqual([
      { credential: 'git', event: { type: 'rejection_reported', generation, peer: `git:127.0.0.1:${server.port}` } },
    ]);
    expect(daemon.count('git', 'begin_attempt')).toBe(1);
    daemon.succeed('git', 'at-2', lifeByBothClocksMs());
    expect(await git('ls-remote', '-q', url)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/\tHEAD\n/) });
  });

  test('gives the token to no other host', async (ctx) => {
    const { git, url, server } = await arrangeGit(ctx);
    const other = await git('ls-remote', url.replace('127.0.0.1', 'localhost'));
    expect(other.exitCode).toBe(128);
    expect(new Set(server.seen)).toEqual(new Set([null]));
  });

  test('fails without asking a person when there is no token, and says why', async (ctx) => {
    const { git, url, server, daemon } = await arrangeGit(ctx);
    daemon.load('git', null);
    daemon.advance(lifeByBothClocksMs() + HOUR_MS);
    const { exitCode, stderr } = await git('ls-remote', url);
    expect(exitCode).toBe(128);
    expect(stderr).toMatch(/^freshd: git has no usable token/m);
    expect(new Set(server.seen)).toEqual(new Set([null]));
  });
});
