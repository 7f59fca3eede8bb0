/**
 * What the programs of others read: each document as its documentation has it.
 */
import { describe, expect, test } from 'vitest';
import { arrangeCli, input, loadWithoutExpiry } from './arrange.ts';

/** The fake daemon loads at noon, and its tokens live for eight hours. */
const EXPIRES_AT = '2026-11-22T20:00:00.000Z';
const EXPIRES_AT_SECONDS = Date.parse(EXPIRES_AT) / 1000;

const FORMATS_WITH_USER = ['git', 'docker', 'xoauth2'];
const FORMATS = ['raw', 'json', 'header', 'env', 'aws', 'kubectl', 'gcloud', ...FORMATS_WITH_USER];

const argvOf = (format: string): string[] => {
  const user = FORMATS_WITH_USER.includes(format) ? ['--user', 'me'] : [];
  return ['token', 'claude', '--format', format, ...user];
};

describe('A10: every format', () => {
  test.each(FORMATS)(
    '%s prints no token on standard error, and none at all when there is none to be had',
    async (format) => {
      const { daemon, runWith } = await arrangeCli();
      daemon.load('claude', 'at\n-secret');
      const io = { input: input('protocol=https\nhost=example.com\n') };
      const broken = await runWith(io, ...argvOf(format));
      expect(broken.stderr).not.toContain('secret');
      expect(broken.exitCode === 0).toBe(format === 'json');
      daemon.add('claude');
      const missing = await runWith(io, ...argvOf(format));
      expect([missing.exitCode, missing.stdout.includes('secret')]).toEqual([75, false]);
      expect(missing.stderr).toMatch(/^freshd: claude has no usable token[^\n]+\n$/);
      if (format !== 'gcloud') expect(missing.stdout).toBe('');
    },
  );
});

describe('--format git', () => {
  const ask = async (attributes: string, ...more: string[]) => {
    const { daemon, runWith } = await arrangeCli();
    daemon.load('claude', 'at-1');
    const ran = await runWith({ input: input(attributes) }, 'token', 'claude', '--format', 'git', ...more);
    return { ...ran, daemon };
  };

  test('answers get with user, password and expiry', async () => {
    const { stdout, exitCode } = await ask('protocol=https\nhost=github.com\n\n', 'get');
    expect(exitCode).toBe(0);
    expect(stdout).toBe(`username=oauth2\npassword=at-1\npassword_expiry_utc=${EXPIRES_AT_SECONDS}\n`);
  });

  test('takes the user of the URL, unless another was asked for', async () => {
    const attributes = 'protocol=https\nhost=github.com\nusername=octocat\n';
    expect((await ask(attributes, 'get')).stdout).toMatch(/^username=octocat$/m);
    expect((await ask(attributes, '--user', 'x-access-token', 'get')).stdout).toMatch(/^username=x-access-token$/m);
  });

  test('sends no token over plain HTTP, but on loopback', async () => {
    const refused = await ask('protocol=http\nhost=git.example.com\n', 'get');
    expect([refused.exitCode, refused.stdout]).toEqual([65, '']);
    expect(refused.stderr).toMatch(/git\.example\.com over plain HTTP/);
    for (const host of ['localhost.example.com', '127.0.0.1.example.com', '']) {
      expect((await ask(`protocol=http\nhost=${host}\n`, 'get')).stdout).toBe('');
    }
    for (const host of ['localhost:8080', '127.0.0.1:3000', '[::1]:80']) {
      expect((await ask(`protocol=http\nhost=${host}\n`, 'get')).stdout).toContain('password=at-1');
    }
  });

  test('A6: erase reports that the server refused the token, and names no other one', async () => {
    const refused = await ask('protocol=https\nhost=github.com\nusername=u\npassword=at-1\n', 'erase');
    expect([refused.exitCode, refused.stdout]).toEqual([0, '']);
    expect(refused.daemon.events.at(-1)?.event).toMatchObject({ type: 'rejection_reported', peer: 'git:github.com' });
    const older = await ask('protocol=https\nhost=github.com\npassword=at-0\n', 'erase');
    const none = await ask('protocol=https\nhost=github.com\n', 'erase');
    for (const { exitCode, daemon } of [older, none]) {
      expect([exitCode, daemon.events.some(({ event }) => event.type === 'rejection_reported')]).toEqual([0, false]);
    }
  });

  test('store, and operations of later versions, do nothing', async () => {
    for (const operation of ['store', 'approve-of']) {
      const ran = await ask('protocol=https\nhost=github.com\npassword=other\n', operation);
      expect([ran.exitCode, ran.stdout, ran.stderr]).toEqual([0, '', '']);
    }
  });
});

describe('--format docker', () => {
  const ask = async (...more: string[]) => {
    const { daemon, runWith } = await arrangeCli();
    daemon.load('claude', 'at-1');
    return runWith({ input: input('ghcr.io\n') }, 'token', 'claude', '--format', 'docker', ...more);
  };

  test('answers get for the server that was asked for', async () => {
    const { stdout } = await ask('--user', 'oauth2accesstoken', 'get');
    expect(JSON.parse(stdout)).toEqual({ ServerURL: 'ghcr.io', Username: 'oauth2accesstoken', Secret: 'at-1' });
  });

  test('lists nothing, and refuses to store or erase what is not its own', async () => {
    expect(await ask('list')).toMatchObject({ exitCode: 0, stdout: '{}\n' });
    for (const operation of ['store', 'erase']) {
      expect(await ask(operation)).toMatchObject({
        exitCode: 65,
        stdout: '',
        stderr: expect.stringContaining('freshd keeps claude'),
      });
    }
  });

  test('wants to be told the user, in one line', async () => {
    for (const user of [[], ['--user', 'a\nb'], ['--user', '']]) {
      expect(await ask(...user, 'get')).toMatchObject({
        exitCode: 64,
        stdout: '',
        stderr: expect.stringMatching(/^freshd: --user: expected/),
      });
    }
  });
});

describe('--format aws', () => {
  const ask = async (accessToken: string) => {
    const { daemon, run } = await arrangeCli();
    daemon.load('aws', accessToken);
    return run('token', 'aws', '--format', 'aws');
  };

  test('is a version 1 document of the keys in the token, with its expiry', async () => {
    const keys = { AccessKeyId: 'ASIA1', SecretAccessKey: 's', SessionToken: 't' };
    const { stdout } = await ask(JSON.stringify({ ...keys, Other: 1 }));
    expect(JSON.parse(stdout)).toEqual({ Version: 1, ...keys, Expiration: EXPIRES_AT });
  });

  test('leaves out what is not known: a session, an end', async () => {
    const { daemon, run } = await arrangeCli();
    const keys = { AccessKeyId: 'AKIA1', SecretAccessKey: 's' };
    loadWithoutExpiry(daemon, 'aws', JSON.stringify(keys));
    expect(JSON.parse((await run('token', 'aws', '--format', 'aws')).stdout)).toEqual({ Version: 1, ...keys });
  });

  test.each([
    'at-secret',
    '{"AccessKeyId":"secret"}',
    '"secret"',
    'null',
    '{"SecretAccessKey":"secret","AccessKeyId":1}',
  ])('refuses %s, which is no pair of keys, without quoting it', async (accessToken) => {
    const ran = await ask(accessToken);
    expect([ran.exitCode, ran.stdout]).toEqual([78, '']);
    expect(ran.stderr).toMatch(/no pair of AWS keys.*AWS_WEB_IDENTITY_TOKEN_FILE\)\n$/);
    expect(ran.stderr).not.toContain('secret');
  });
});

describe('--format kubectl', () => {
  const ask = async (info?: string) => {
    const { daemon, runWith } = await arrangeCli();
    daemon.load('k8s', 'at-1');
    return runWith(
      { env: info === undefined ? {} : { KUBERNETES_EXEC_INFO: info } },
      'token',
      'k8s',
      '--format',
      'kubectl',
    );
  };
  const infoFor = (version: string) =>
    JSON.stringify({
      kind: 'ExecCredential',
      apiVersion: `client.authentication.k8s.io/${version}`,
      spec: { interactive: false },
    });

  test.each([
    ['v1', 'v1'],
    ['v1beta1', 'v1beta1'],
  ])('is an ExecCredential in the version that is asked for: %s', async (version) => {
    expect(JSON.parse((await ask(infoFor(version))).stdout)).toEqual({
      apiVersion: `client.authentication.k8s.io/${version}`,
      kind: 'ExecCredential',
      status: { token: 'at-1', expirationTimestamp: EXPIRES_AT },
    });
  });

  test('is v1 by hand, and has no expiry where nobody knows one', async () => {
    const { daemon, run } = await arrangeCli();
    loadWithoutExpiry(daemon, 'k8s', 'at-1');
    const { stdout } = await run('token', 'k8s', '--format', 'kubectl');
    expect(JSON.parse(stdout)).toMatchObject({
      apiVersion: 'client.authentication.k8s.io/v1',
      status: { token: 'at-1' },
    });
    expect(stdout).not.toContain('expirationTimestamp');
  });

  test.each([infoFor('v1alpha1'), 'v1', 'null', '{}'])('refuses what asks for another version: %s', async (info) => {
    const ran = await ask(info);
    expect([ran.exitCode, ran.stdout]).toEqual([65, '']);
    expect(ran.stderr).toMatch(/expected apiVersion client\.authentication\.k8s\.io\/v1 or v1beta1, got /);
  });
});

describe('--format xoauth2', () => {
  test('is the initial response in base64', async () => {
    const { daemon, run } = await arrangeCli();
    daemon.load('mail', 'at-1');
    const { stdout } = await run('token', 'mail', '--format', 'xoauth2', '--user', 'jane@example.com');
    expect(Buffer.from(stdout.trim(), 'base64').toString()).toBe('user=jane@example.com\x01auth=Bearer at-1\x01\x01');
    const forged = await run('token', 'mail', '--format', 'xoauth2', '--user', 'jane\x01auth=Bearer other');
    expect([forged.exitCode, forged.stdout]).toEqual([64, '']);
  });
});

describe('--format gcloud', () => {
  const JWT = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln';
  const ask = async (accessToken: string, env: Record<string, string> = {}) => {
    const { daemon, runWith } = await arrangeCli();
    daemon.load('oidc', accessToken);
    return runWith({ env }, 'token', 'oidc', '--format', 'gcloud');
  };

  test('is a success document with the token type that the library asks for', async () => {
    const document = { version: 1, success: true, id_token: JWT, expiration_time: EXPIRES_AT_SECONDS };
    const [jwt, idToken] = ['jwt', 'id_token'].map((type) => `urn:ietf:params:oauth:token-type:${type}`);
    expect(JSON.parse((await ask(JWT)).stdout)).toEqual({ ...document, token_type: jwt });
    const asked = await ask(JWT, { GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: idToken ?? '' });
    expect(JSON.parse(asked.stdout)).toEqual({ ...document, token_type: idToken });
  });

  test('a failure is a document too, with the exit code and the line of standard error in it', async () => {
    const opaque = await ask('at-secret');
    const saml = await ask(JWT, { GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: 'urn:ietf:params:oauth:token-type:saml2' });
    for (const [ran, exitCode] of [
      [opaque, 78],
      [saml, 65],
    ] as const) {
      const message = ran.stderr.replace(/^freshd: /, '').trimEnd();
      expect(ran.exitCode).toBe(exitCode);
      expect(JSON.parse(ran.stdout)).toEqual({ version: 1, success: false, code: String(exitCode), message });
      expect(ran.stdout).not.toContain('secret');
    }
  });
});
