import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.ts';
import { createSite } from '../../src/daemon/parts.ts';
import { buildChain, buildPublishers } from '../../src/daemon/publish-parts.ts';
import { fromEnv, loaded, privateFolder } from '../config/arrange.ts';

test('a hook follows what its credential and their chain publish, and a chain gives its slowest hook time', async () => {
  const folder = privateFolder();
  const hook = { hook: ['/bin/true'], timeoutSeconds: 120 };
  const store = { format: 'token-response', path: 'a.json' };
  const credentials = {
    alone: { static: fromEnv('ALONE_KEY'), publish: [hook, { envFile: '.env', variable: 'ALONE' }] },
    member: { store, refresh: { follow: true }, killGraceSeconds: 5, publish: [hook] },
  };
  const chains = { any: ['member', 'alone'] };
  const config = await loaded({ stateDirectory: 'state', credentials, chains }, { folder, env: { ALONE_KEY: 'one' } });
  const site = createSite({
    config,
    environment: {},
    platform: 'linux',
    fingerprint: () => 'fp' as never,
    clock: systemClock,
    log: { write: () => undefined },
    spoolDirectory: join(folder, 'spool'),
  });
  const publishers = config.credentials.flatMap((credential) =>
    buildPublishers({ ...credential, follows: null }, site),
  );
  const followed = publishers.filter(({ id }) => id.startsWith('hook:')).map(({ follows }) => follows);
  expect(followed).toEqual([['alone'], ['member']]);
  expect(publishers.filter(({ id }) => !id.startsWith('hook:')).map(({ follows }) => follows)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);

  const [chain] = config.chains.map((one) => buildChain(one, site));
  expect(chain?.publishers.map(({ id, follows }) => [id.split(':')[0], follows])).toEqual([
    ['tokenFile', undefined],
    ['envFile', undefined],
    ['hook', ['member', 'any']],
    ['hook', ['alone', 'any']],
  ]);
  expect(chain?.spec.policy.limits.deliveryTimeoutMs).toBe(215_000);
});
