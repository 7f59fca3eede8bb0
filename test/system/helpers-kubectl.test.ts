/** kubectl as it is installed, against a stub of an API server that wants the bearer token over TLS. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { selfSigned } from '../adapters/refresh/oauth-arrange.ts';
import { adapted, arrangeRecipes, lifeByBothClocksMs, NOT_INSTALLED, recipe } from './recipes.ts';

const AS_DOCUMENTED = recipe('Kubernetes', 'yaml');
const BEFORE_1_22 = adapted(AS_DOCUMENTED, {
  'client.authentication.k8s.io/v1\n': 'client.authentication.k8s.io/v1beta1\n',
  '        interactiveMode: Never\n': '',
});

const clusterOf = (url: string, caPath: string): string => `apiVersion: v1
kind: Config
clusters:
  - name: stub
    cluster: { server: "${url}", certificate-authority: "${caPath}" }
contexts:
  - name: stub
    context: { cluster: stub, user: me }
current-context: stub
`;

describe('kubectl', () => {
  test.for([
    ['v1', AS_DOCUMENTED],
    ['v1beta1', BEFORE_1_22],
  ] as const)('sends the token of an ExecCredential %s', async ([version, users], ctx) => {
    const { daemon, run, write } = await arrangeRecipes();
    const found = await run(['kubectl', 'version', '--client', '-o', 'json']);
    if (found.exitCode === null) return ctx.skip(`kubectl ${NOT_INSTALLED}`);
    const { clientVersion } = JSON.parse(found.stdout) as { clientVersion: { major: string; minor: string } };
    const minor = Number.parseInt(clientVersion.minor, 10);
    if (version === 'v1' && minor < 22) return ctx.skip(`kubectl 1.${minor} does not know ${version}`);
    const certificate = selfSigned();
    if (certificate === null) return ctx.skip(`openssl ${NOT_INSTALLED}`);

    const seen: (string | undefined)[] = [];
    const server = createServer({ key: certificate.key, cert: certificate.cert }, ({ headers }, response) => {
      seen.push(headers.authorization);
      const isKnown = headers.authorization === 'Bearer at-1';
      response.writeHead(isKnown ? 200 : 401, { 'Content-Type': 'application/json' });
      response.end(isKnown ? '{"gitVersion":"v1.20.2"}' : '{"kind":"Status","status":"Failure","code":401}');
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const kubeconfig = write('kubeconfig', clusterOf(url, certificate.path) + users);

    const ask = () => run(['kubectl', '--kubeconfig', kubeconfig, 'get', '--raw', '/version']);
    daemon.load('cluster', 'at-1', lifeByBothClocksMs());
    expect(await ask()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('v1.20.2') });
    expect(new Set(seen)).toEqual(new Set(['Bearer at-1']));
    daemon.load('cluster', 'at-0', lifeByBothClocksMs());
    expect((await ask()).exitCode).toBe(1);
    expect(seen.at(-1)).toBe('Bearer at-0');
  });
});
