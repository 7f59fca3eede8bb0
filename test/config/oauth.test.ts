import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adviceOn, fromEnv, fromFile, LOG_ALERTS, loaded, MAIL, privateFolder, problemsOf } from './arrange.ts';

const ENDPOINT = 'https://login.example/token';

const mailWith = (oauth: object, rest: object = {}): object => ({
  credentials: { mail: { store: MAIL.store, refresh: { oauth: { clientId: 'mail', ...oauth } }, ...rest } },
  alerts: LOG_ALERTS,
});

test('a public client needs an id and an endpoint; all else has a default', async () => {
  const config = await loaded(mailWith({ tokenEndpoint: ENDPOINT }));
  expect(config.credentials[0]).toMatchObject({
    policy: { method: 'oauth', resultInStore: false },
    watch: [],
    reuseGraceMs: null,
  });
  expect(config.credentials[0]?.refresh).toEqual({
    kind: 'oauth',
    tokenEndpoint: ENDPOINT,
    issuer: null,
    clientId: 'mail',
    clientSecret: null,
    clientAuthentication: 'none',
    scope: null,
    parameters: {},
    body: 'form',
    caFile: null,
    connectTimeoutMs: 10_000,
    authorizationEndpoint: null,
    deviceAuthorizationEndpoint: null,
    loginParameters: {},
    redirectUri: null,
  });
});

test('secrets come from the environment or a file, paths count from the folder', async () => {
  const folder = privateFolder();
  const config = await loaded(
    mailWith(
      {
        issuer: 'https://login.example',
        clientSecret: fromEnv('S'),
        parameters: { audience: 'api', assertion: fromEnv('A') },
        caFile: 'ca.pem',
        connectTimeoutSeconds: 0.5,
        redirectUri: 'http://localhost:7777/callback',
      },
      { reuseGraceSeconds: 30 },
    ),
    { folder, env: { S: 'the-secret', A: 'the-assertion' } },
  );
  expect(config.credentials[0]).toMatchObject({
    reuseGraceMs: 30_000,
    refresh: {
      clientSecret: 'the-secret',
      clientAuthentication: 'basic',
      parameters: { audience: 'api', assertion: 'the-assertion' },
      caFile: join(folder, 'ca.pem'),
      connectTimeoutMs: 500,
      redirectUri: 'http://localhost:7777/callback',
    },
  });
});

describe('what is refused', () => {
  const cases: readonly (readonly [string, object, string])[] = [
    [
      'no endpoint at all',
      mailWith({}),
      'credentials.mail.refresh.oauth.tokenEndpoint: expected "tokenEndpoint" or "issuer", got neither; say where the refresh token is sent',
    ],
    [
      'a refresh token that would travel in the clear',
      mailWith({ tokenEndpoint: 'http://login.example/token' }),
      'credentials.mail.refresh.oauth.tokenEndpoint: expected an https:// address (http:// on loopback only), without user, password or fragment, got a http:// address; a refresh token must not travel in the clear: correct it',
    ],
    [
      'a password in an address, without repeating it',
      mailWith({ tokenEndpoint: 'https://u:hunter2@login.example/token' }),
      'credentials.mail.refresh.oauth.tokenEndpoint: expected an https:// address (http:// on loopback only), without user, password or fragment, got a https:// address with one of them; a refresh token must not travel in the clear: correct it',
    ],
    [
      'a secret written into the file',
      mailWith({ tokenEndpoint: ENDPOINT, clientSecret: 'hunter2' }),
      `credentials.mail.refresh.oauth.clientSecret: expected \${env:NAME} or \${file:PATH}, got a string (not shown); a secret does not belong into this file: put it into the environment or a file of its own`,
    ],
    [
      'authentication without a secret',
      mailWith({ tokenEndpoint: ENDPOINT, clientAuthentication: 'post' }),
      'credentials.mail.refresh.oauth.clientAuthentication: expected "none" without "clientSecret", got "post"; leave it out, or correct "clientSecret"',
    ],
    [
      'a parameter that freshd sets',
      mailWith({ tokenEndpoint: ENDPOINT, parameters: { grant_type: 'password' } }),
      'credentials.mail.refresh.oauth.parameters.grant_type: expected a parameter that freshd does not set itself, got grant_type; use the key that is made for it, or remove it',
    ],
    [
      'a login that would listen for others',
      mailWith({ tokenEndpoint: ENDPOINT, redirectUri: 'http://login.example/callback' }),
      'credentials.mail.refresh.oauth.redirectUri: expected an http:// address on loopback, got another one; freshd login listens on this machine only',
    ],
    [
      'a store without a place for the refresh token',
      mailWith({ tokenEndpoint: ENDPOINT }, { store: { format: 'text', path: 'x' } }),
      'credentials.mail.refresh.oauth: expected a store that holds a refresh token, got the format text; use the format token-response, or refresh it by a command',
    ],
    [
      'two who refresh',
      {
        credentials: {
          mail: { ...MAIL, refresh: { ...MAIL.refresh, oauth: { clientId: 'm', tokenEndpoint: ENDPOINT } } },
        },
      },
      'credentials.mail.refresh: expected "command", "oauth" or "follow": true, got more than one; say who refreshes: a script, freshd itself, or the tool that owns the store',
    ],
  ];
  test.each(cases)('%s', async (_name, config, problem) => {
    expect(await problemsOf(config)).toEqual([problem]);
  });

  test('a secret whose file is missing, by the name of the file alone', async () => {
    const problems = await problemsOf(mailWith({ tokenEndpoint: ENDPOINT, clientSecret: fromFile('nowhere') }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(
      'credentials.mail.refresh.oauth.clientSecret: expected the secret in the file nowhere',
    );
  });
});

test('the login of another tool may be refreshed, but its owner is told to read the terms', async () => {
  const store = { format: 'claude-code' };
  const config = mailWith({ tokenEndpoint: ENDPOINT }, { store });
  expect(await adviceOn(config)).toContain('login_of_another_tool');
  expect(await adviceOn(mailWith({ tokenEndpoint: ENDPOINT }))).toEqual([]);
});
