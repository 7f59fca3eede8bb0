/** msmtp as it is installed, against a mail server that knows nothing but XOAUTH2 and OAUTHBEARER. */
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { createServer, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, type TestContext, test } from 'vitest';
import { type Certificate, selfSigned } from '../adapters/refresh/oauth-arrange.ts';
import { HOUR_MS } from '../api/fake-daemon.ts';
import { adapted, arrangeRecipes, NOT_INSTALLED, recipe } from './recipes.ts';

interface MailServer {
  readonly port: number;
  /** Initial responses, decoded. */
  readonly logins: string[];
  /** Lines of the messages that were taken. */
  readonly taken: string[];
}

async function startMailServer({ key, cert }: Certificate): Promise<MailServer> {
  const [logins, taken]: [string[], string[]] = [[], []];
  const server = createServer({ key, cert }, (socket) => talk(socket, logins, taken));
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { port: (server.address() as AddressInfo).port, logins, taken };
}

function talk(socket: TLSSocket, logins: string[], taken: string[]): void {
  const say = (line: string): void => void socket.write(`${line}\r\n`);
  let expects: 'command' | 'login' | 'message' = 'command';
  const logIn = (response: string): void => {
    const login = atob(response);
    logins.push(login);
    expects = 'command';
    say(login.includes('auth=Bearer at-1\x01') ? '235 welcome' : '535 who are you');
  };
  const obey = (line: string): void => {
    const [, mechanism, response] = /^AUTH (\S+) ?(.*)$/.exec(line) ?? [];
    if (mechanism !== undefined && response !== '') logIn(response ?? '');
    else if (mechanism !== undefined) {
      expects = 'login';
      say('334 ');
    } else if (line.startsWith('EHLO')) say('250-stub\r\n250 AUTH XOAUTH2 OAUTHBEARER');
    else if (line === 'DATA') {
      expects = 'message';
      say('354 go on');
    } else if (line === 'QUIT') socket.end('221 bye\r\n');
    else say('250 ok');
  };
  socket.on('error', () => socket.destroy());
  say('220 stub');
  createInterface({ input: socket }).on('line', (line) => {
    if (expects === 'login') logIn(line);
    else if (expects === 'command') obey(line);
    else if (line === '.') {
      expects = 'command';
      say('250 taken');
    } else taken.push(line);
  });
}

async function arrangeMail(ctx: TestContext, mechanism: string) {
  const arranged = await arrangeRecipes();
  const certificate = selfSigned();
  if (certificate === null) return ctx.skip(`openssl ${NOT_INSTALLED}`);
  const server = await startMailServer(certificate);
  const config = adapted(recipe('Mail', 'text'), {
    'host smtp.example.com': `host 127.0.0.1\ntls_trust_file ${certificate.path}`,
    'port 465': `port ${server.port}`,
    'auth xoauth2': `auth ${mechanism}`,
  });
  arranged.write('.msmtprc', config);
  arranged.daemon.load('mail', 'at-1');
  const send = () => arranged.run(['msmtp', '-a', 'work', 'you@example.com'], { input: 'Subject: hello\n\nhello\n' });
  return { ...arranged, server, config, send };
}

describe('msmtp', () => {
  test.for(['xoauth2', 'oauthbearer'])('logs in by %s with the token, and sends', async (mechanism, ctx) => {
    const { send, server } = await arrangeMail(ctx, mechanism);
    const sent = await send();
    if (sent.exitCode === null) return ctx.skip(`msmtp ${NOT_INSTALLED}`);
    expect(sent).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(server.logins).toEqual([expect.stringContaining('jane@example.com')]);
    expect(server.taken).toContain('Subject: hello');
  });

  test('does not log in without a token', async (ctx) => {
    const { send, server, daemon, write, config } = await arrangeMail(ctx, 'xoauth2');
    daemon.load('mail', null);
    daemon.advance(9 * HOUR_MS);
    write('.msmtprc', adapted(config, { '1m': '1m --wait 0s' }));
    const sent = await send();
    if (sent.exitCode === null) return ctx.skip(`msmtp ${NOT_INSTALLED}`);
    expect(sent.exitCode).not.toBe(0);
    expect(sent.stderr).toMatch(/^freshd: mail has no usable token/m);
    expect([server.logins, server.taken]).toEqual([[], []]);
  });
});
