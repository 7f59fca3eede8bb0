/** Secrets in files of their own, and what a daemon makes of another one. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { configure, is, refreshed, seed, stored } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

test('F9: a client secret that is put right in its file is taken without a restart or a reload, whatever config.json says by then', async ({
  onTestFinished,
}) => {
  const clients = { mail: { authentication: 'basic', secret: 'the right one' } } as const;
  const server = await startAuthorizationServer({ lifeSeconds: 60, clients });
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  workshop.write('secret', 'a wrong one\n');
  const { tokenEndpoint } = server;
  const oauth = { tokenEndpoint, clientId: 'mail', clientSecret: '$' + '{file:secret}' };
  configure(workshop, { mail: { store: { format: 'token-response', path: 'demo.json' }, refresh: { oauth } } });
  const { access_token: expired } = seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  const stopped = await daemon.until(is('reauthorization_required'));
  expect(stopped).toMatchObject({ reason: 'config', code: 'invalid_client' });

  workshop.write('config.json', 'half an edit');
  workshop.write('secret', 'the right one\n');
  await daemon.until(refreshed);
  expect(stored(workshop).access_token).not.toBe(expired);
  expect(daemon.records.filter(is('reloaded'))).toMatchObject([{ source: 'secrets', changed: 1 }]);
  expect(JSON.stringify(daemon.records)).not.toMatch(/right one|wrong one/);
});

test('a start that finds no file left to open ends in 71, so that the service is started again', async () => {
  const workshop = createWorkshop();
  configure(workshop, {});
  // The first thing that the daemon asks of its process, before it reads anything but its own modules, many at a time.
  workshop.write(
    'early.mjs',
    `import { openSync } from 'node:fs';
    process.umask = () => {
      try { for (;;) openSync('/dev/null', 'r'); } catch (error) { if (error.code !== 'EMFILE') throw error; }
    };`,
  );
  const options = `NODE_OPTIONS=--import=${workshop.path('early.mjs')}`;
  const daemon = workshop.startThrough(['sh', '-c', 'ulimit -n 400; exec "$0" "$@"', 'env', options]);
  const [code] = await once(daemon.process, 'exit');
  expect(daemon.stderr()).toMatch(/^freshd: .*config\.json: expected to be able to read it, got EMFILE; /);
  expect(code).toBe(71);
});
