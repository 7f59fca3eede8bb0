/** The system unit on a machine with a real systemd, as it is shipped, under its whole sandbox. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type AuthorizationServer, startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { eventually } from './arrange.ts';
import { bootMachine, installProgram, type Machine, programPaths, whyNoMachine } from './machine.ts';

const UNIT = 'freshd.service';
const STORE = '/var/lib/freshd/demo.json';
const SOCKET = '/run/freshd/freshd.sock';
const SECRET = 'secret-of-the-service-manager';
const LIFE_SECONDS = 600;

const whyNot = whyNoMachine();
let machine: Machine;
let server: AuthorizationServer;
/** Every token that was ever seen: none of them may be in the journal. */
const seen = new Set<string>();

beforeAll(async () => {
  if (whyNot !== '') return;
  machine = await bootMachine(programPaths());
  server = await startAuthorizationServer({ lifeSeconds: LIFE_SECONDS });
  await installProgram(machine);
  await machine.sh('systemd-sysusers /opt/freshd/systemd/sysusers.d/freshd.conf');
  await machine.sh(
    'install -m 644 -t /etc/systemd/system /opt/freshd/systemd/freshd.service /opt/freshd/systemd/freshd.socket',
  );
  await machine.sh('rm -rf /var/lib/freshd; systemctl daemon-reload');
  await machine.write('/etc/freshd/secrets/probe', `${SECRET}\n`, 0o600);
});
afterAll(async () => {
  if (whyNot !== '') return;
  await machine.end();
  await server.close();
});

beforeEach((ctx) => {
  if (whyNot !== '') ctx.skip(`no systemd here: ${whyNot}`);
});

async function configure(changes: object = {}, others: object = {}): Promise<void> {
  const demo = {
    store: { format: 'token-response', path: STORE },
    refresh: {
      command: ['/opt/freshd/scripts/refresh-demo.sh'],
      input: 'token',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference in the configuration
      environment: { FRESHD_DEMO_TOKEN_ENDPOINT: server.tokenEndpoint, PROBE: '${file:secret_probe}' },
    },
    ...changes,
  };
  await machine.write('/etc/freshd/config.json', {
    defaults: { storeCheckSeconds: 0.3, minRefreshIntervalSeconds: 0.2, refreshTimeoutSeconds: 20, jitterPercent: 0 },
    alerts: { sinks: [{ type: 'log' }] },
    credentials: { demo },
    ...others,
  });
}

/** A login of which the access token has just expired, or is new. */
async function seed(ageSeconds = LIFE_SECONDS + 1): Promise<void> {
  const response = server.seed();
  for (const token of [response.access_token, response.refresh_token]) seen.add(token);
  const obtainedAt = Math.floor(Date.now() / 1_000) - ageSeconds;
  await machine.write(STORE, { ...response, obtained_at: obtainedAt }, 0o600);
  await machine.sh(`chown freshd:freshd /var/lib/freshd ${STORE}`);
}

async function stored(): Promise<{ readonly access_token: string; readonly refresh_token: string }> {
  const tokens = JSON.parse(await machine.read(STORE));
  seen.add(tokens.access_token).add(tokens.refresh_token);
  return tokens;
}

const show = (name: string) => machine.property(UNIT, name);
const journal = () => machine.sh('journalctl --no-pager --output cat --unit freshd.service');
const refreshes = (): number => server.state().requests.refreshed;

/** @returns its exit code */
const systemctl = async (...argv: string[]) => (await machine.run('systemctl', ...argv)).status;
const askForRefresh = async () =>
  (await machine.run('freshd', 'refresh', 'demo', '--force', '--socket', SOCKET)).status;

/** What a reader gets; null: nothing. */
async function served(): Promise<string | null> {
  const { status, stdout } = await machine.run('freshd', 'token', 'demo', '--socket', SOCKET);
  return status === 0 ? stdout.trim() : null;
}

/** From nothing: its own login, and no memory of the test before. */
async function start(changes: object = {}, others: object = {}): Promise<void> {
  await systemctl('stop', UNIT);
  await systemctl('reset-failed', UNIT);
  await machine.sh('rm -rf /var/lib/freshd/*');
  await configure(changes, others);
  await seed();
  expect(await machine.run('systemctl', 'start', UNIT)).toMatchObject({ status: 0, stderr: '' });
}

/** Only for the test that asks. */
async function dropIn(text: string): Promise<void> {
  const folder = '/run/systemd/system/freshd.service.d';
  await machine.write(`${folder}/test.conf`, text);
  await systemctl('daemon-reload');
  onTestFinished(async () => {
    await machine.sh(`rm -r ${folder}; systemctl daemon-reload`);
  });
}

describe('the system unit', () => {
  test('A17: is ready with a token, and says what is next; script, curl and secret work in its sandbox', async () => {
    await start();
    expect(await show('ActiveState')).toBe('active');
    await eventually(async () => (await served()) !== null);
    const { access_token } = await stored();
    expect(await served()).toBe(access_token);
    expect(await machine.read('/run/freshd/tokens/demo')).toBe(access_token);
    expect(refreshes()).toBe(1);
    await eventually(async () => /^1 of 1 credential usable; next: refresh of demo at /.test(await show('StatusText')));
    const status = await machine.read(`/proc/${await show('MainPID')}/status`);
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    expect(status).toMatch(/^CapEff:\s*0+$/m);
    const places = `${SOCKET} /run/freshd /var/lib/freshd`;
    expect(await machine.sh(`stat -c '%U %a' ${places}`)).toBe('freshd 600\nfreshd 700\nfreshd 700');
  });

  test('is as closed as it says, and systemd finds nothing wrong with any unit', async () => {
    const units = '/opt/freshd/systemd';
    const verify = 'XDG_RUNTIME_DIR=/run systemd-analyze verify --man=no';
    expect(await machine.sh(`${verify} ${units}/freshd.service ${units}/freshd.socket 2>&1`)).toBe('');
    expect(await machine.sh(`${verify} --user ${units}/user/freshd.service ${units}/user/freshd.socket 2>&1`)).toBe('');
    const text = readFileSync('systemd/freshd.service', 'utf8');
    const score = async (unit: string): Promise<string> => {
      await machine.write('/tmp/score/freshd.service', unit);
      const found = await machine.sh('systemd-analyze security --offline=true /tmp/score/freshd.service');
      return /Overall exposure level for freshd.service: ([\d.]+)/.exec(found)?.[1] ?? found;
    };
    expect(Number(await score(text))).toBeLessThanOrEqual(1.5);
    expect(text).toContain(`gives it ${await score(text)}`);
  });

  test('a killed daemon is started again: files stay meanwhile, and nothing is sent without need', async () => {
    const before = { pid: await show('MainPID'), refreshes: refreshes(), token: (await stored()).access_token };
    const killedAt = performance.now();
    await machine.sh(`kill -KILL ${before.pid}; test -s /run/freshd/tokens/demo`);
    await eventually(async () => (await served()) !== null);
    console.info(`note: SIGKILL to a served read: ${Math.round(performance.now() - killedAt)} ms`);
    expect(await served()).toBe(before.token);
    expect(await show('NRestarts')).toBe('1');
    expect(refreshes()).toBe(before.refreshes);
  });

  test('a reload takes what is new; one with a mistake fails, says so, and changes nothing', async () => {
    const pid = await show('MainPID');
    await configure({}, { maxConcurrentRefreshes: 2 });
    expect(await systemctl('reload', UNIT)).toBe(0);
    await configure({ unknown: 1 });
    expect(await systemctl('reload', UNIT)).not.toBe(0);
    expect(await journal()).toMatch(/credentials\.demo\.unknown/);
    expect([await show('ActiveState'), await show('MainPID')]).toEqual(['active', pid]);
    expect(await served()).not.toBeNull();
    await configure();
    expect(await systemctl('reload', UNIT)).toBe(0);
  });

  test('F63: a stop waits for the script that runs, and nothing of what it brings is lost', async () => {
    const before = { refreshToken: (await stored()).refresh_token, refreshes: refreshes() };
    server.delay({ milliseconds: 3_000, when: 'after_commit' });
    expect(await askForRefresh()).toBe(0);
    await eventually(() => refreshes() > before.refreshes);
    expect(await systemctl('stop', UNIT)).toBe(0);
    server.delay({ milliseconds: 0, when: 'after_commit' });
    expect(await show('Result')).toBe('success');
    const after = await stored();
    expect(after.refresh_token).not.toBe(before.refreshToken);
    expect(await systemctl('start', UNIT)).toBe(0);
    expect(await served()).toBe(after.access_token);
    expect(refreshes()).toBe(before.refreshes + 1);
  });

  test('F71: a script outlives the crash of the daemon, and the next one takes the answer it brings', async () => {
    const before = { ...(await stored()), refreshes: refreshes() };
    server.delay({ milliseconds: 4_000, when: 'after_commit' });
    expect(await askForRefresh()).toBe(0);
    await eventually(() => refreshes() > before.refreshes);
    await machine.sh(`kill -KILL ${await show('MainPID')}`);
    await eventually(async () => (await stored()).refresh_token !== before.refresh_token);
    server.delay({ milliseconds: 0, when: 'after_commit' });
    const { access_token } = await stored();
    await eventually(async () => (await served()) === access_token);
    expect(refreshes()).toBe(before.refreshes + 1);
    expect(server.state().families.at(-1)).toMatchObject({ revoked: false });
  });

  test('boots without a network: what is stored is served, and the boot waits for no server', async () => {
    expect(await systemctl('enable', UNIT)).toBe(0);
    const wanted = await machine.property('multi-user.target', 'Wants');
    expect(wanted.split(' ')).toContain(UNIT);
    expect((await show('After')).split(' ')).toContain('network.target');
    expect(await show('Wants')).not.toContain('network-online.target');
    await systemctl('stop', UNIT);
    await configure({ refresh: { oauth: { tokenEndpoint: 'http://127.0.0.1:1/token', clientId: 'demo' } } });
    await seed(LIFE_SECONDS - 60);
    expect(await systemctl('start', UNIT)).toBe(0);
    expect(await served()).toBe((await stored()).access_token);
    expect(await systemctl('disable', UNIT)).toBe(0);
  });

  test('a wrong configuration ends in 78, and is not started again and again', async () => {
    await configure({ unknown: 1 });
    expect(await systemctl('restart', UNIT)).not.toBe(0);
    // A unit that is to be started again would be in auto-restart.
    expect(await machine.sh(`systemctl show --property=ExecMainStatus,NRestarts,SubState ${UNIT} | sort`)).toBe(
      'ExecMainStatus=78\nNRestarts=0\nSubState=failed',
    );
  });
});

describe('the watchdog', () => {
  test('D4: cures a scheduler that stands still behind an event loop that answers', async () => {
    // From the signal on nothing is armed any more, as if the clock library had swallowed a wake-up.
    const stall = `process.on('SIGUSR2', () => { globalThis.setTimeout = () => ({ unref() {} }); });`;
    await machine.write('/opt/stall.mjs', `${stall}\nawait import('/opt/freshd/bin/freshd.js');\n`);
    const run = '/opt/node /opt/stall.mjs run --config /etc/freshd/config.json';
    await dropIn(`[Service]\nWatchdogSec=3\nExecStart=\nExecStart=${run}\n`);
    await start();
    await eventually(async () => /^1 of 1 .*; next: refresh of demo at /.test(await show('StatusText')));
    const pid = await show('MainPID');
    const stalledAt = performance.now();
    await machine.sh(`kill -USR2 ${pid}`);
    await machine.sh(`curl -sf --unix-socket ${SOCKET} http://freshd/v1/health/live`);
    await eventually(async () => (await show('MainPID')) !== pid && (await show('ActiveState')) === 'active');
    console.info(`note: a stall with WatchdogSec=3, to a new daemon: ${Math.round(performance.now() - stalledAt)} ms`);
    expect(await show('NRestarts')).toBe('1');
    expect(await journal()).toMatch(/"event":"scheduler_stalled"/);
    expect(await journal()).toMatch(/Watchdog timeout/);
    expect(await served()).not.toBeNull();
  });
});

describe('memory', () => {
  test('OOMPolicy=continue: a script that the kernel ends for its memory is tried again, and the daemon goes on', async (ctx) => {
    expect(await show('OOMPolicy')).toBe('continue');
    const fat = 'for (const all = [];;) all.push(Buffer.alloc(1e7, 1))';
    await machine.write('/opt/fat.sh', `#!/bin/sh\nexec /opt/node -e '${fat}'\n`, 0o755);
    const refresh = { command: ['/opt/fat.sh'] };
    const controllers = await machine.sh('cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || true');
    const isOfSystemd = /\bmemory\b/.test(controllers);
    if (isOfSystemd) await dropIn('[Service]\nMemoryMax=300M\nMemorySwapMax=0\n');
    // The controller may belong to the first version of cgroups, of which this systemd knows nothing; the kernel kills all the same.
    else if ((await machine.run('sh', '-c', LIMITED_BY_V1)).status !== 0) {
      return ctx.skip('no memory controller, of neither version of cgroups, can be used here');
    }
    // It is the kernel's, not the sandbox's, and would outlast it.
    onTestFinished(async () => {
      await systemctl('stop', UNIT);
      if (!isOfSystemd) await machine.sh(`rmdir ${V1_GROUP}; umount /tmp/memory`);
    });
    await start();
    await eventually(async () => (await served()) !== null);
    const pid = await show('MainPID');
    if (!isOfSystemd) await machine.sh(`echo ${pid} >${V1_GROUP}/cgroup.procs`);
    await configure({ refresh });
    expect(await systemctl('reload', UNIT)).toBe(0);
    const failures = async () => (await journal()).split('"event":"refresh_failed"').length;
    const before = await failures();
    expect(await askForRefresh()).toBe(0);
    await eventually(async () => (await failures()) > before);
    const kills = isOfSystemd
      ? '/sys/fs/cgroup/system.slice/freshd.service/memory.events'
      : `${V1_GROUP}/memory.oom_control`;
    expect(await machine.read(kills)).toMatch(/^oom_kill [1-9]/m);
    expect([await show('ActiveState'), await show('MainPID'), await show('NRestarts')]).toEqual(['active', pid, '0']);
    expect(await served()).not.toBeNull();
  });
});

// Swap too: with it, the script would take long to fill both. Without accounting of swap there is no such file.
const V1_GROUP = `/tmp/memory/freshd-test-${process.pid}`;
const LIMITED_BY_V1 = `
  mkdir -p /tmp/memory && mount -t cgroup -o memory none /tmp/memory && mkdir ${V1_GROUP} &&
  echo 300M >${V1_GROUP}/memory.limit_in_bytes &&
  { echo 300M >${V1_GROUP}/memory.memsw.limit_in_bytes || true; }`;

describe('the socket unit', () => {
  test('a reader that comes while the daemon is dead waits in it, and is answered by the next one', async () => {
    await systemctl('stop', UNIT);
    await dropIn('[Service]\nRuntimeDirectoryPreserve=yes\n');
    expect(await systemctl('start', 'freshd.socket')).toBe(0);
    await start();
    await eventually(async () => (await served()) !== null);
    const { access_token } = await stored();
    const killedAt = performance.now();
    await machine.sh(`kill -KILL ${await show('MainPID')}`);
    expect(await served()).toBe(access_token);
    console.info(`note: SIGKILL to a served read, in its socket: ${Math.round(performance.now() - killedAt)} ms`);
    // A stop leaves the socket; the next reader starts the daemon.
    expect(await systemctl('stop', UNIT)).toBe(0);
    expect(await served()).toBe(access_token);
    await systemctl('stop', 'freshd.socket', UNIT);
  });
});

describe('the journal', () => {
  test('A10: holds none of the tokens and no secret of all that went on here', async () => {
    const all = await machine.sh('journalctl --no-pager --output export --all');
    expect(seen.size).toBeGreaterThan(8);
    expect([...seen, SECRET].filter((secret) => all.includes(secret))).toEqual([]);
    expect(all).toContain('refresh_succeeded');
  });
});
