/** `freshd service` by a real person on a machine with a real systemd, from nothing to nothing. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from './arrange.ts';
import { bootMachine, installProgram, type Machine, programPaths, whyNoMachine } from './machine.ts';

const UID = 4711;
const HOME = '/home/ann o';
const CONFIG = `${HOME}/.config/freshd/config.json`;
const UNIT = `${HOME}/.config/systemd/user/freshd.service`;
const STORE = `${HOME}/mail.json`;
const SYSTEM_UNIT = '/etc/systemd/system/freshd.service';

const whyNot = whyNoMachine();
let machine: Machine;

beforeAll(async () => {
  if (whyNot !== '') return;
  machine = await bootMachine(programPaths());
  await installProgram(machine);
  await machine.sh(`useradd --uid ${UID} --create-home --home-dir '${HOME}' ann`);
});
afterAll(async () => {
  if (whyNot === '') await machine.end();
});

beforeEach((ctx) => {
  if (whyNot !== '') ctx.skip(`no systemd here: ${whyNot}`);
});

/** As somebody who has no session: nothing is in the environment but what `su` gives. */
const asAnn = (...argv: readonly string[]) =>
  machine.run('setpriv', '--reuid=ann', '--regid=ann', '--init-groups', 'env', `HOME=${HOME}`, `PATH=${PATH}`, ...argv);
const PATH = '/opt/ann/bin:/usr/bin:/bin';
const service = (...words: readonly string[]) => asAnn('freshd', 'service', ...words);
const exists = async (path: string) => (await machine.run('test', '-e', path)).status === 0;
const lingers = () => exists('/var/lib/systemd/linger/ann');

/** A login of which nobody knows an end: nothing has to be refreshed. */
async function writeConfig(changes: object = {}): Promise<void> {
  const demo = { store: { format: 'token-response', path: STORE }, refresh: { follow: true }, expires: 'never' };
  await machine.write(CONFIG, { alerts: { sinks: [{ type: 'log' }] }, credentials: { demo: { ...demo, ...changes } } });
  await machine.write(STORE, { access_token: 'token-of-ann', token_type: 'Bearer' }, 0o600);
  await machine.sh(`chown -R ann:ann '${HOME}'`);
}

test('a service whose configuration does not load is not installed', async () => {
  await writeConfig({ unknown: 1 });
  const ran = await service('install', '--yes');
  expect(ran.status).toBe(78);
  expect(ran.stderr).toMatch(/credentials\.demo\.unknown/);
  expect([await exists(UNIT), await lingers()]).toEqual([false, false]);
});

test('a dry run says every step, shows the unit, and does nothing', async () => {
  await writeConfig();
  const ran = await service('install', '--yes', '--dry-run');
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  expect(ran.stdout).toMatch(/would run loginctl enable-linger ann/);
  expect(ran.stdout).toContain(`would write ${UNIT}`);
  expect(ran.stdout).toContain(`  | Environment=PATH=${PATH}`);
  expect([await exists(UNIT), await lingers()]).toEqual([false, false]);
});

test('F76: installs for a person who is not logged in: it runs, with that one’s PATH, from boot on', async () => {
  const ran = await service('install', '--yes');
  expect(ran).toMatchObject({ status: 0, stderr: '' });
  expect(ran.stdout).toMatch(/next: freshd status/);
  expect(await lingers()).toBe(true);
  const token = await asAnn('env', `XDG_RUNTIME_DIR=/run/user/${UID}`, 'freshd', 'token', 'demo');
  expect(token).toMatchObject({ status: 0, stdout: 'token-of-ann\n' });
  const pid = await machine.sh('systemctl --user -M ann@ show --property MainPID --value freshd.service');
  const environment = (await machine.read(`/proc/${pid}/environ`)).split('\0');
  expect(environment).toContain(`PATH=${PATH}`);
  expect(await machine.sh(`ps -o user= -p ${pid}`)).toBe('ann');
  // What it keeps lies where the command line of that person looks for it.
  expect(await exists(`${HOME}/.local/state/freshd/install-key`)).toBe(true);
  expect(await machine.sh('systemctl --user -M ann@ is-enabled freshd.service')).toBe('enabled');
});

test('status and logs show it; doing it again does nothing', async () => {
  expect((await service('status')).stdout).toMatch(/Active: active \(running\)/);
  await eventually(async () => /"event":"ready"/.test((await service('logs')).stdout));
  expect(await service('install', '--yes')).toMatchObject({
    status: 0,
    stdout: 'installed already, and nothing has changed\n',
  });
});

test('with --socket-activation readers wait in the socket while the daemon is dead; without it again, it goes', async () => {
  const socketUnit = `${HOME}/.config/systemd/user/freshd.socket`;
  const token = () => asAnn('env', `XDG_RUNTIME_DIR=/run/user/${UID}`, 'freshd', 'token', 'demo');
  const ofAnn = (...words: readonly string[]) => machine.run('systemctl', '--user', '-M', 'ann@', ...words);
  expect((await service('install', '--dry-run', '--socket-activation')).stdout).toContain(`would write ${socketUnit}`);
  expect(await exists(socketUnit)).toBe(false);
  expect(await service('install', '--yes', '--socket-activation')).toMatchObject({ status: 0, stderr: '' });
  expect((await token()).stdout).toBe('token-of-ann\n');
  expect((await service('install', '--yes', '--socket-activation')).stdout).toMatch(/^installed already/);
  expect((await service('status')).stdout).toMatch(/freshd\.socket - [\s\S]*Active: active \((listening|running)\)/);
  await ofAnn('kill', '--signal=KILL', 'freshd.service');
  expect((await token()).stdout).toBe('token-of-ann\n');
  // A stop leaves the socket, and the next reader starts the daemon.
  expect((await ofAnn('stop', 'freshd.service')).status).toBe(0);
  expect((await token()).stdout).toBe('token-of-ann\n');
  const back = await service('install', '--yes');
  expect(back).toMatchObject({ status: 0, stderr: '' });
  expect(back.stdout).toContain(`remove ${socketUnit}`);
  expect([await exists(socketUnit), (await token()).stdout]).toEqual([false, 'token-of-ann\n']);
  expect((await ofAnn('is-active', 'freshd.socket')).stdout).toBe('inactive\n');
  expect((await service('install', '--yes')).stdout).toMatch(/^installed already/);
});

test('a unit that somebody changed is neither replaced nor removed', async () => {
  await machine.sh(`cp '${UNIT}' /tmp/unit; echo '# mine' >>'${UNIT}'`);
  const again = await service('install', '--yes');
  expect(again.status).toBe(1);
  expect(again.stderr).toContain(UNIT);
  await machine.sh(`cp /tmp/unit '${UNIT}'`);
});

test('uninstalling undoes all of it; state goes only on request, stores and configuration never', async () => {
  expect((await service('uninstall', '--purge', '--dry-run')).stdout).toMatch(/would remove .*\.local\/state\/freshd /);
  expect(await service('uninstall')).toMatchObject({ status: 0, stderr: '' });
  expect([await exists(UNIT), await lingers()]).toEqual([false, false]);
  expect(await exists(`${HOME}/.local/state/freshd`)).toBe(true);
  expect((await service('uninstall')).status).toBe(1);
  // Nobody sits there to be asked.
  expect((await service('uninstall', '--purge')).status).toBe(1);
  expect((await service('uninstall', '--purge', '--yes')).status).toBe(0);
  expect(await exists(`${HOME}/.local/state/freshd`)).toBe(false);
  expect([await exists(STORE), await exists(CONFIG)]).toEqual([true, true]);
});

test('of the system: makes its user, waits for a configuration, and is gone after its removal', async () => {
  const freshd = (...words: readonly string[]) => machine.run('freshd', 'service', ...words, '--system');
  expect((await service('install', '--system')).status).toBe(77);
  await machine.sh('rm -rf /etc/freshd /var/lib/freshd');
  const first = await freshd('install');
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toMatch(/next: create \/etc\/freshd\/config\.json/);
  expect(await machine.sh('getent passwd freshd')).toMatch(/^freshd:/);
  const store = '/var/lib/freshd/mail.json';
  const mail = { store: { format: 'token-response', path: store }, refresh: { follow: true }, expires: 'never' };
  await machine.write('/etc/freshd/config.json', { alerts: { sinks: [{ type: 'log' }] }, credentials: { mail } });
  await machine.write(store, { access_token: 'token-of-the-system', token_type: 'Bearer' }, 0o600);
  await machine.sh('chown -R freshd:freshd /var/lib/freshd');
  expect(await freshd('install')).toMatchObject({ status: 0, stderr: '' });
  expect((await machine.run('freshd', 'token', 'mail')).stdout).toBe('token-of-the-system\n');
  expect(await freshd('install', '--socket-activation')).toMatchObject({ status: 0, stderr: '' });
  expect(await machine.property('freshd.socket', 'ActiveState')).toBe('active');
  await machine.sh('kill -KILL $(systemctl show --property MainPID --value freshd.service)');
  expect((await machine.run('freshd', 'token', 'mail')).stdout).toBe('token-of-the-system\n');
  expect((await freshd('uninstall')).status).toBe(0);
  expect([await exists('/run/freshd/freshd.sock'), await exists('/etc/systemd/system/freshd.socket')]).toEqual([
    false,
    false,
  ]);
  expect([await exists(SYSTEM_UNIT), await exists('/etc/sysusers.d/freshd.conf')]).toEqual([false, false]);
  expect(await machine.sh('systemctl list-unit-files freshd.service --no-legend || true')).toBe('');
  expect(await exists(store)).toBe(true);
});
