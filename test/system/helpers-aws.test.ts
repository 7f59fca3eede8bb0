/** The AWS CLI as it is installed, against a stub of STS that looks at what a request was signed with. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { epochMs } from '../../src/core/token.ts';
import { readTokenResponse } from '../../src/core/token-response.ts';
import { START_MS } from '../api/fake-daemon.ts';
import { arrangeRecipes, lifeByBothClocksMs, NOT_INSTALLED, recipe } from './recipes.ts';

const KEYS = { AccessKeyId: 'ASIAFRESHD', SecretAccessKey: 'secret-1', SessionToken: 'session-1' };

interface Sts {
  readonly url: string;
  /** Key and session of each request. */
  readonly seen: { readonly keyId: string | undefined; readonly session: string | undefined }[];
}

async function startSts(): Promise<Sts> {
  const seen: Sts['seen'] = [];
  const server = createServer(({ headers }, response) => {
    const keyId = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1];
    const session = headers['x-amz-security-token'];
    seen.push({ keyId, session: typeof session === 'string' ? session : undefined });
    response.setHeader('Content-Type', 'text/xml');
    response.end(IDENTITY);
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const IDENTITY = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
  <Arn>arn:aws:iam::111122223333:user/me</Arn><UserId>me</UserId><Account>111122223333</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>`;

describe('the AWS CLI', () => {
  test('signs with the keys of the credential process, until it has none', async (ctx) => {
    const { daemon, run, write } = await arrangeRecipes();
    const sts = await startSts();
    daemon.load('aws', JSON.stringify(KEYS), lifeByBothClocksMs());
    write('.aws/config', recipe('AWS', 'ini'));
    const whoAmI = ['aws', 'sts', 'get-caller-identity', '--profile', 'deploy', '--endpoint-url', sts.url];
    const known = await run([...whoAmI, '--output', 'text', '--query', 'Account']);
    if (known.exitCode === null) return ctx.skip(`aws ${NOT_INSTALLED}`);
    expect(known).toEqual({ exitCode: 0, stdout: '111122223333\n', stderr: '' });
    expect(sts.seen).toEqual([{ keyId: KEYS.AccessKeyId, session: KEYS.SessionToken }]);

    daemon.load('aws', 'an-oauth-token');
    const unknown = await run(whoAmI);
    expect(unknown.exitCode).not.toBe(0);
    expect(`${unknown.stdout}${unknown.stderr}`).toContain('is no pair of AWS keys');
    expect(`${unknown.stdout}${unknown.stderr}`).not.toContain('an-oauth-token');
    expect(sts.seen).toHaveLength(1);
  });

  test('gives a refresh script the keys that freshd then keeps', async (ctx) => {
    const { daemon, run, write } = await arrangeRecipes();
    // As documented for get-session-token.
    const credentials = { ...KEYS, Expiration: '2026-11-23T01:00:00+00:00' };
    write('bin/aws', `#!/bin/sh\necho '${JSON.stringify({ Credentials: credentials })}'\n`, 0o700);
    const script = write('refresh-aws.sh', recipe('AWS', 'bash'), 0o700);
    const ran = await run([script]);
    if (ran.stderr.includes('jq')) return ctx.skip(`jq ${NOT_INSTALLED}`);
    const reading = readTokenResponse(JSON.parse(ran.stdout), {
      receivedAt: epochMs(START_MS),
      expiresInDefaultMs: 3_600_000,
      expires: { kind: 'as_stated' },
    });
    const expiry = { kind: 'known', expiresAt: Date.parse(credentials.Expiration) };
    expect(reading).toMatchObject({ ok: true, tokens: { expiry } });
    const { access_token } = JSON.parse(ran.stdout) as { access_token: string };
    daemon.load('aws', access_token);
    expect(JSON.parse((await run(['freshd', 'token', 'aws', '--format', 'aws'])).stdout)).toMatchObject(KEYS);

    write('bin/aws', '#!/bin/sh\nexit 254\n', 0o700);
    expect(await run([script])).toMatchObject({ exitCode: 75, stdout: '' });
  });
});
