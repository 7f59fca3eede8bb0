/** A real daemon whose store another process rewrites: in a storm, and in the middle of a refresh. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { configure, demo, eventually, is, seed, stored } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const BURSTS = 12;
const WRITES = 60;

// Every second time whole, by rename; else truncated and written in two halves with a moment between.
const WRITER = `
  const fs = require('node:fs');
  const [path, logins, writes] = process.argv.slice(1);
  const rest = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  JSON.parse(fs.readFileSync(logins, 'utf8')).forEach((login, nth) => {
    const text = JSON.stringify({ ...login, obtained_at: Math.floor(Date.now() / 1000) - login.expires_in });
    if (nth % 2 === 0) {
      fs.writeFileSync(path + '.theirs', text, { mode: 0o600 });
      fs.renameSync(path + '.theirs', path);
    } else {
      const file = fs.openSync(path, 'w');
      fs.writeSync(file, text.slice(0, 60));
      rest(1);
      fs.writeSync(file, text.slice(60));
      fs.closeSync(file);
    }
    rest(nth % writes === writes - 1 ? 250 : 1);
  });
`;

interface Scene {
  readonly workshop: Workshop;
  readonly server: Awaited<ReturnType<typeof startAuthorizationServer>>;
  /** The refresh token that came of this one, over all refreshes. */
  newestOf(refreshToken: string): string;
}

async function arrange(lifeSeconds: number, onRequest: (scene: Scene) => void = () => undefined): Promise<Scene> {
  const successors = new Map<string, string>();
  const server = await startAuthorizationServer({
    lifeSeconds,
    onDecided({ body, response }) {
      const sent = new URLSearchParams(body).get('refresh_token');
      if (sent !== null && response !== null) successors.set(sent, response.refresh_token);
      onRequest(scene);
    },
  });
  onTestFinished(() => server.close());
  const newestOf = (refreshToken: string): string => {
    const next = successors.get(refreshToken);
    return next === undefined ? refreshToken : newestOf(next);
  };
  const scene: Scene = { workshop: createWorkshop(), server, newestOf };
  const refresh = { oauth: { tokenEndpoint: server.tokenEndpoint, clientId: 'demo' } };
  configure(scene.workshop, { demo: demo(server, { refresh }) }, { minRefreshIntervalSeconds: 0.05 });
  return scene;
}

test('F8 F44: in a storm of new logins, whole and in halves, none is read by half or lost, and the last one is refreshed', async () => {
  const { workshop, server, newestOf } = await arrange(1);
  const logins = Array.from({ length: BURSTS * WRITES }, () => server.seed());
  const last = logins.at(-1)?.refresh_token ?? '';
  workshop.write('logins.json', logins);
  seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  const argv = ['-e', WRITER, workshop.path('demo.json'), workshop.path('logins.json'), String(WRITES)];
  const writer = spawn(process.execPath, argv, { stdio: 'inherit' });
  onTestFinished(() => void writer.kill('SIGKILL'));
  expect(await once(writer, 'exit')).toEqual([0, null]);

  await eventually(() => newestOf(last) !== last && stored(workshop).refresh_token === newestOf(last));
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  const { requests } = server.state();
  // That of the beginning, that of the end, and some in the storm.
  expect(requests.refreshed).toBeGreaterThan(2);
  expect(requests.refused).toBe(0);
  const wrong = ['internal_error', 'credential_absent', 'reauthorization_required'];
  expect(daemon.records.filter(({ event }) => wrong.includes(event))).toEqual([]);
  expect(await daemon.end('SIGTERM')).toBe(0);
});

test('F55 F72: a login that another process writes while a request is under way is not overwritten by its answer', async () => {
  let newer: { readonly refresh_token: string } | null = null;
  const { workshop, server } = await arrange(60, (scene) => {
    newer ??= seed(scene.workshop, scene.server);
  });
  seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  await daemon.until(is('answer_set_aside'));
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  expect(stored(workshop)).toMatchObject(newer ?? {});
  expect((await workshop.get('/v1/tokens/demo')).body.access_token).toBe(stored(workshop).access_token);
  expect(server.state().requests.token).toBe(1);
});
