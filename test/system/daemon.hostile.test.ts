/** Hostile scripts, hooks and consumers against the whole program. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { alertsOf, configure, demo, eventually, is, minutes, refreshed, seed, startServer, stored } from './arrange.ts';
import { createWorkshop, type Workshop } from './workshop.ts';

const FRESHD = `${process.execPath} ${resolve('bin/freshd.js')}`;

function report(workshop: Workshop, generation: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = '/v1/tokens/demo/rejections';
    const headers = { 'content-type': 'application/json' };
    const call = request({ socketPath: workshop.path('freshd.sock'), path, method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('error', reject);
    call.end(JSON.stringify({ generation, http_status: 401 }));
  });
}

test('F52: of daemons started in the same moment, also with other sockets, one serves and refreshes once', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server, 3_600);
  const sockets = [[], ['--socket', workshop.path('b.sock')], ['--socket', workshop.path('c.sock')]];
  const daemons = sockets.map((options) => workshop.start(...options));
  const ends = daemons.map(
    (daemon) =>
      new Promise<number | null>((ended) => {
        daemon.process.once('close', ended);
        void daemon.until(refreshed).then(
          () => ended(0),
          () => undefined,
        );
      }),
  );
  expect((await Promise.all(ends)).sort()).toEqual([0, 75, 75]);
  expect(server.state().requests.token).toBe(1);
  const serving = daemons.find(({ records }) => records.some(refreshed));
  const refusals = daemons.filter((daemon) => daemon !== serving).map((daemon) => daemon.stderr());
  expect(refusals.every((text) => text.includes(`pid ${serving?.pid}`))).toBe(true);
});

test('A4, F24, F26: a script that hangs is swept with all that left its group, and the next one brings the token', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('a session of its own is only found through /proc');
  const server = await startServer(60);
  const workshop = createWorkshop();
  const once = workshop.path('once');
  const script = `#!/bin/sh
if [ ! -e ${once} ]; then
  : > ${once}
  trap '' TERM
  setsid sh -c "trap '' TERM; sleep 1000" &
  sleep 1000
  sleep 1000
fi
exec ${resolve('scripts/refresh-demo.sh')}
`;
  workshop.write('script.sh', script, 0o700);
  const refresh = { ...demo(server).refresh, command: ['./script.sh'] };
  // Longer than the first run takes until it is swept.
  const limits = { refreshTimeoutSeconds: 1, retryIntervalMinutes: minutes(3) };
  configure(workshop, { demo: demo(server, { refresh }) }, limits);
  seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  expect(await daemon.until(is('refresh_script_ended'))).toMatchObject({ code: 'timed_out', survivors: 0 });
  expect(workshop.strays()).toEqual([]);
  await daemon.until(refreshed);
  await daemon.until(is('alert_delivered'));
  expect(alertsOf(daemon.records)).toContain('first_failure');
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
});

test('A10: a script that tells its tokens to stderr and fails has them in no record, no status and no argument list', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('needs /proc');
  const server = await startServer(60);
  const workshop = createWorkshop();
  const seen = workshop.path('argv');
  const script = `#!/bin/sh
read -r tokens
cat /proc/*/cmdline > ${seen} 2>/dev/null
cat /proc/$PPID/environ >> ${seen} 2>/dev/null
echo "trace: $tokens" >&2
printf '%s' "$tokens" | sed 's/.*"refresh_token":"\\([^"]*\\)".*/it was \\1/' >&2
exit 1
`;
  workshop.write('script.sh', script, 0o700);
  configure(workshop, { demo: demo(server, { refresh: { command: ['./script.sh'], input: 'token' } }) });
  seed(workshop, server, 3_600);
  const secrets = [stored(workshop).access_token, stored(workshop).refresh_token].map(String);
  const daemon = await workshop.start().ready();
  expect(await daemon.until(is('refresh_failed'))).toMatchObject({
    detail: expect.stringMatching(/it was \[redacted\]/),
  });
  const { body } = await workshop.get('/v1/credentials');
  const shown = [JSON.stringify(daemon.records), daemon.stderr(), JSON.stringify(body), readFileSync(seen, 'latin1')];
  for (const text of shown) expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
});

test('A6, A7: a 401 starts a refresh at once, and whoever waits for another generation gets it', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  configure(workshop, { demo: demo(server) });
  seed(workshop, server);
  const daemon = await workshop.start().ready();
  const before = (await workshop.get('/v1/tokens/demo')).body;
  const waiting = workshop.get(`/v1/tokens/demo?wait_seconds=20&after_generation=${before.generation}`);
  expect(await report(workshop, before.generation)).toBe(202);
  const { status, body } = await waiting;
  expect([status, Number(body.generation) > Number(before.generation)]).toEqual([200, true]);
  expect(body.access_token).toBe(stored(workshop).access_token);
  expect(await daemon.until(is('refresh_started'))).toMatchObject({ reason: 'rejection' });
  // The same report once more is about a token that is gone.
  expect(await report(workshop, before.generation)).toBe(202);
  expect(server.state().requests.token).toBe(1);
});

test('F82: a hook that calls freshd refresh makes no loop and holds up nothing', async () => {
  const server = await startServer(60);
  const workshop = createWorkshop();
  const told = workshop.path('told');
  const socket = workshop.path('freshd.sock');
  const hook = `#!/bin/sh\n${FRESHD} refresh demo --force --socket ${socket} 2>> ${told}\necho "$FRESHD_EVENT $?" >> ${told}\n`;
  workshop.write('hook.sh', hook, 0o700);
  configure(workshop, {
    demo: demo(server, { publish: [{ hook: ['./hook.sh'] }, { envFile: '.env', variable: 'DEMO_TOKEN' }] }),
  });
  seed(workshop, server, 3_600);
  const daemon = await workshop.start().ready();
  await daemon.until(refreshed);
  await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
  await eventually(() => workshop.exists('told') && /^published /m.test(workshop.read('told')));
  expect(workshop.read('told')).toMatch(/refused inside a hook/);
  expect(server.state().requests.token).toBe(1);
});
