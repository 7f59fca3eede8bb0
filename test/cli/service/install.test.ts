/** `freshd service install` as far as it goes without a service manager. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CommandIo } from '../../../src/cli/command.ts';
import { listeningPlace } from '../../../src/cli/service/listening.ts';
import type { Manager, Scope } from '../../../src/cli/service/plan.ts';
import { runIn } from '../arrange.ts';

/** A person with a configuration. */
function homeWith(changes: object = {}): { readonly home: string; readonly config: string } {
  const home = mkdtempSync(join(tmpdir(), 'freshd-install-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const config = join(home, '.config/freshd/config.json');
  mkdirSync(join(home, '.config/freshd'), { recursive: true, mode: 0o700 });
  const mail = { store: { format: 'token-response', path: 'mail.json' }, refresh: { follow: true } };
  writeFileSync(config, JSON.stringify({ credentials: { mail }, ...changes }), { mode: 0o600 });
  return { home, config };
}

describe('on macOS', () => {
  const onMac = (home: string, ...argv: string[]) =>
    runIn({ home, platform: 'darwin', uid: 501, env: { PATH: '/opt/homebrew/bin:/usr/bin' } }, 'service', ...argv);

  test('A17: a dry run shows the agent with this machine’s paths and how it is loaded, and writes nothing', async () => {
    const { home, config } = homeWith();
    const ran = await onMac(home, 'install', '--dry-run');
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    const plist = `${home}/Library/LaunchAgents/dev.freshd.agent.plist`;
    const steps = ran.stdout.split('\n').filter((line) => line.startsWith('would '));
    expect(steps).toEqual([
      `would write ${home}/.config/freshd/service-install.json`,
      `would write ${plist}`,
      'would run launchctl bootout gui/501/dev.freshd.agent',
      `would run launchctl bootstrap gui/501 ${plist}`,
    ]);
    for (const said of [config, process.execPath, '/opt/homebrew/bin:/usr/bin', `${home}/Library/Logs/freshd.log`])
      expect(ran.stdout).toContain(`<string>${said}</string>`);
    expect(() => readFileSync(plist)).toThrow('ENOENT');
  });

  test('the daemon of the system goes where those lie, with a log of its own', async () => {
    const { home, config } = homeWith();
    const { stdout } = await onMac(home, 'install', '--system', '--dry-run', '--config', config);
    expect(stdout).toContain('would write /Library/LaunchDaemons/dev.freshd.daemon.plist');
    expect(stdout).toContain('would run launchctl bootstrap system /Library/LaunchDaemons/dev.freshd.daemon.plist');
    expect(stdout).toContain('<string>/var/log/freshd.log</string>');
  });

  test('what an installation wrote is what its removal would remove', async () => {
    const { home } = homeWith();
    const plist = join(home, 'agent.plist');
    writeFileSync(plist, 'changed by hand');
    const record = { version: 1, manager: 'launchd', scope: 'user', files: { [plist]: 'x' }, enabledLingering: false };
    writeFileSync(join(home, '.config/freshd/service-install.json'), JSON.stringify(record));
    const ran = await onMac(home, 'uninstall', '--dry-run');
    expect(ran).toMatchObject({
      exitCode: 0,
      stderr: `freshd: ${plist} was changed since it was written, and stays\n`,
    });
    expect(ran.stdout).toBe(
      `would run launchctl bootout gui/501/dev.freshd.agent\nwould remove ${home}/.config/freshd/service-install.json\n`,
    );
  });

  test('has no socket of systemd', async () => {
    expect(await onMac(homeWith().home, 'install', '--dry-run', '--socket-activation')).toEqual({
      exitCode: 64,
      stdout: '',
      stderr: 'freshd: --socket-activation: expected systemd, got launchd; leave it out\n',
    });
  });
});

describe('a socket that systemd opens', () => {
  const IO = { env: {}, cwd: '/', platform: 'linux', uid: 1000, isColourful: false, nowMs: () => 0 } as const;
  const placeFor = (home: string, options: Record<string, string | boolean>, changes: Partial<CommandIo> = {}) => {
    const io: CommandIo = { ...IO, home, write: () => undefined, complain: () => undefined, ...changes };
    const where: { manager: Manager; scope: Scope } = { manager: 'systemd', scope: 'user' };
    return listeningPlace({ io, args: { name: 'install', words: [], rest: [], options }, ...where });
  };
  const ACTIVATED = { 'socket-activation': true };

  test('is where the service will look, whatever is in the environment of who installs it', async () => {
    const { home } = homeWith();
    expect(await placeFor(home, {})).toBeNull();
    expect(await placeFor(home, ACTIVATED)).toEqual({ path: null, group: null });
    expect(await placeFor(home, ACTIVATED, { env: { FRESHD_SOCKET: '/x', XDG_RUNTIME_DIR: '/y' } })).toEqual({
      path: null,
      group: null,
    });
    const elsewhere = homeWith({ socket: { path: '~/own/freshd.sock' } }).home;
    expect(await placeFor(elsewhere, ACTIVATED)).toEqual({ path: `${elsewhere}/own/freshd.sock`, group: null });
  });

  test('is for the group of the configuration, and for nobody else where that cannot be read', async () => {
    const { home } = homeWith({ socket: { group: '0' } });
    expect(await placeFor(home, ACTIVATED)).toEqual({ path: null, group: '0' });
    expect(await placeFor(homeWith({ unknown: 1 }).home, ACTIVATED)).toEqual({ path: null, group: null });
  });
});
