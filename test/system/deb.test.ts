/** The Debian package on a machine with a real systemd: installed, upgraded while it runs, removed, purged. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuthorizationServer, startAuthorizationServer } from '../../scripts/demo-authorization-server.js';
import { eventually } from './arrange.ts';
import { bootMachine, type Machine, whyNoMachine } from './machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'freshd-deb-'));
const whyNot = whyNoMachine();
const VERSION = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
const NEXT_VERSION = '99.0.0';
const STORE = '/var/lib/freshd/demo.json';

let machine: Machine;
let server: AuthorizationServer;

/** A package that is thrown away in a minute is not worth the time that compression takes. */
const QUICKLY = { DPKG_DEB_COMPRESSOR_TYPE: 'none' };

const shell = (program: string, ...argv: string[]): string => {
  const env = { ...process.env, ...QUICKLY };
  return execFileSync(program, argv, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
};

/** The same package, as if it were a later release. */
function laterPackage(deb: string): void {
  const stage = join(directory, 'later');
  shell('dpkg-deb', '--raw-extract', deb, stage);
  for (const file of ['DEBIAN/control', 'usr/lib/freshd/package.json']) {
    const text = readFileSync(join(stage, file), 'utf8');
    writeFileSync(join(stage, file), text.replace(new RegExp(`(?<=[Vv]ersion(": "|: ))${VERSION}`), NEXT_VERSION));
  }
  shell('dpkg-deb', '--root-owner-group', '--build', stage, directory);
}

/** The Node that runs this test, which need not have come as a Debian package. */
function nodePackage(): string {
  const stage = join(directory, 'nodejs');
  for (const part of ['DEBIAN', 'usr/bin']) mkdirSync(join(stage, part), { recursive: true });
  copyFileSync(process.execPath, join(stage, 'usr/bin/node'));
  const fields = [
    'Package: nodejs',
    `Version: ${process.versions.node}`,
    'Architecture: all',
    'Maintainer: a test <test@localhost>',
  ];
  writeFileSync(join(stage, 'DEBIAN/control'), `${fields.join('\n')}\nDescription: the Node of a test\n`);
  shell('dpkg-deb', '--root-owner-group', '--build', stage, join(directory, 'nodejs.deb'));
  return join(directory, 'nodejs.deb');
}

beforeAll(async () => {
  if (whyNot !== '') return;
  shell('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', directory);
  laterPackage(shell(resolve('packaging/deb/build.sh'), directory, join(directory, `freshd-${VERSION}.tgz`)));
  nodePackage();
  server = await startAuthorizationServer({ lifeSeconds: 600 });
  machine = await bootMachine([directory]);
  await machine.sh(`dpkg --install ${directory}/nodejs.deb`);
}, 240_000);

afterAll(async () => {
  if (whyNot === '') {
    await machine.end();
    await server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

const debAt = (version: string): string =>
  join(directory, readdirSync(directory).find((name) => name.startsWith(`freshd_${version}_`)) ?? 'none');
const freshd = (...argv: string[]) => machine.run('freshd', ...argv, '--socket', '/run/freshd/freshd.sock');

async function configure(): Promise<void> {
  await machine.write('/etc/freshd/config.json', {
    alerts: { sinks: [{ type: 'log' }] },
    credentials: {
      demo: {
        store: { format: 'token-response', path: STORE },
        refresh: {
          command: ['/usr/lib/freshd/scripts/refresh-demo.sh'],
          input: 'token',
          environment: { FRESHD_DEMO_TOKEN_ENDPOINT: server.tokenEndpoint },
        },
      },
    },
  });
  const obtained_at = Math.floor(Date.now() / 1_000);
  await machine.write(STORE, { ...server.seed(), obtained_at }, 0o600);
  await machine.sh(`chown -R freshd:freshd /var/lib/freshd`);
}

test('A17: installed, upgraded while it runs, removed and purged, it leaves what it should and nothing else', async (ctx) => {
  if (whyNot !== '') return ctx.skip(`no systemd here: ${whyNot}`);

  const installed = await machine.run('dpkg', '--install', debAt(VERSION));
  expect(installed).toMatchObject({ status: 0, stdout: expect.stringContaining('freshd init') });
  expect(await machine.property('freshd.service', 'ActiveState')).toBe('inactive');
  expect(await machine.run('freshd', '--version')).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: '' });
  expect(await machine.sh('bash -c ". /usr/share/bash-completion/completions/freshd; complete -p freshd"')).toMatch(
    '_freshd',
  );
  expect(await machine.run('systemd-analyze', 'verify', '--man=no', 'freshd.service')).toMatchObject({
    status: 0,
    stderr: '',
  });

  await configure();
  expect((await machine.run('systemctl', 'enable', '--now', 'freshd.service')).status).toBe(0);
  const token = (await freshd('token', 'demo')).stdout;
  expect(token).not.toBe('');

  // Somebody's own daemon is not the package's to restart: it goes on as the old version, and its user is told.
  await machine.sh('useradd --create-home someone');
  await machine.write('/home/someone/config.json', {
    socket: { path: 'own.sock' },
    stateDirectory: 'state',
    credentials: {},
  });
  await machine.sh('chown -R someone /home/someone');
  const as = ['--uid=someone', '--collect', '--unit=own', '--working-directory=/home/someone'];
  await machine.run('systemd-run', ...as, 'freshd', 'run', '--config', 'config.json');
  const ownStatus = () =>
    machine.run('runuser', '-u', 'someone', '--', 'freshd', 'status', '--socket', '/home/someone/own.sock');
  await eventually(async () => (await ownStatus()).status === 0);
  expect((await ownStatus()).stderr).toBe('');

  const before = await machine.property('freshd.service', 'MainPID');
  expect((await machine.run('dpkg', '--install', debAt(NEXT_VERSION))).status).toBe(0);
  expect(await machine.property('freshd.service', 'MainPID')).not.toBe(before);
  await eventually(async () => (await freshd('status')).stdout.startsWith(`freshd ${NEXT_VERSION},`));
  expect((await freshd('status')).stderr).toBe('');
  expect((await freshd('token', 'demo')).stdout).toBe(token);
  expect((await ownStatus()).stderr).toMatch(`the daemon is version ${VERSION}, this command ${NEXT_VERSION}`);
  await machine.sh('systemctl stop own.service');

  expect((await machine.run('dpkg', '--remove', 'freshd')).status).toBe(0);
  expect(await machine.property('freshd.service', 'ActiveState')).toBe('inactive');
  expect(await machine.sh(`ls /usr/lib/freshd /usr/bin/freshd 2>&1 | grep -v 'No such' || true`)).toBe('');
  expect(JSON.parse(await machine.read(STORE))).toMatchObject({ access_token: token.trim() });

  expect((await machine.run('dpkg', '--purge', 'freshd')).status).toBe(0);
  expect(await machine.sh('ls -d /etc/freshd /var/lib/freshd /run/freshd 2>/dev/null || true')).toBe('');
}, 120_000);
