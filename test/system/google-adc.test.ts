/** A store that has a place for a refresh token and none for what it brings: Google's application default credentials. */
import { expect, onTestFinished, test } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { configure, eventually, refreshed } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

test('an access token that no file holds is served, follows another login, and is fetched anew after a restart', async () => {
  const server = await startAuthorizationServer({ lifeSeconds: 600, rotates: false });
  onTestFinished(() => server.close());
  const workshop = createWorkshop();
  const { refresh_token: first } = server.seed();
  const file = (refresh_token: string) => ({
    account: '',
    client_id: 'id',
    client_secret: 's',
    refresh_token,
    type: 'authorized_user',
  });
  workshop.write('adc.json', file(first));
  const store = { format: 'google-adc', path: 'adc.json' };
  const refresh = { oauth: { tokenEndpoint: server.tokenEndpoint, clientId: 'id' } };
  configure(workshop, { google: { store, refresh, publish: [{ envFile: '.env', variable: 'TOKEN' }] } });
  const served = async () => (await workshop.get('/v1/tokens/google')).body.access_token;
  const daemon = await workshop.start().ready();
  await daemon.until(refreshed);
  const token = await served();
  await eventually(() => workshop.env().TOKEN === token);
  expect(JSON.parse(workshop.read('adc.json'))).toEqual(file(first));

  // A mere rewrite is nothing; another login is.
  workshop.write('adc.json', { ...file(first), quota_project_id: 'p' });
  workshop.write('adc.json', file(server.seed().refresh_token));
  await eventually(async () => (await served()) !== token);
  const second = await served();
  await eventually(() => workshop.env().TOKEN === second);
  expect(server.state().requests.token).toBe(2);

  expect(await daemon.end('SIGTERM')).toBe(0);
  const again = await workshop.start().ready();
  await again.until(refreshed);
  expect(server.state()).toMatchObject({
    requests: { token: 3, refused: 0 },
    families: [{ revoked: false }, { revoked: false }],
  });
  const newest = await served();
  expect([token, second]).not.toContain(newest);
  await eventually(() => workshop.env().TOKEN === newest);
});
