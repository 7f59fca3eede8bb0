import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hiddenFromSystem, serviceFiles } from '../../../src/cli/service/places.ts';
import {
  renderPlist,
  renderUnit,
  type ServiceFacts,
  servicePath,
  stopSecondsFor,
} from '../../../src/cli/service/render.ts';

const FACTS: ServiceFacts = {
  node: '/opt/node 20/bin/node',
  program: '/opt/100%/bin/freshd.js',
  config: '/home/ann/.config/freshd/config.json',
  socket: null,
  path: '/home/ann/.local/bin:/usr/bin',
  stopSeconds: 645,
  listenAt: null,
};
const USER_UNIT = readFileSync('systemd/user/freshd.service', 'utf8');
const textOf = (path: string) => readFileSync(path, 'utf8');
const lineOf = (unit: string, name: string) => unit.split('\n').filter((line) => line.startsWith(`${name}=`));

describe('a unit', () => {
  test('has the absolute paths, quoted as systemd reads them, and the PATH of whoever installed it', () => {
    const unit = renderUnit(USER_UNIT, FACTS);
    const words = '"/opt/node 20/bin/node" /opt/100%%/bin/freshd.js';
    expect(lineOf(unit, 'ExecStart')).toEqual([`ExecStart=${words} run --config ${FACTS.config}`]);
    expect(lineOf(unit, 'ExecReload')).toEqual([`ExecReload=${words} reload --config ${FACTS.config}`]);
    expect(lineOf(unit, 'Environment')).toEqual(['Environment=PATH=/home/ann/.local/bin:/usr/bin']);
    expect(lineOf(unit, 'TimeoutStopSec')).toEqual(['TimeoutStopSec=645']);
  });

  test('is otherwise the shipped one, line by line', () => {
    const rendered = renderUnit(USER_UNIT, { ...FACTS, path: null }).split('\n');
    const differing = USER_UNIT.split('\n').filter((line, at) => line !== rendered[at]);
    expect(differing.map((line) => line.split('=')[0])).toEqual(['ExecStart', 'ExecReload', 'TimeoutStopSec']);
  });

  test('nothing of a strange path is understood as anything but a path', () => {
    const config = `/tmp/a "b" $HOME \\ %h/config.json`;
    const [line] = lineOf(renderUnit(USER_UNIT, { ...FACTS, config }), 'ExecStart');
    expect(line).toContain(String.raw`--config "/tmp/a \"b\" $$HOME \\ %%h/config.json"`);
  });
});

describe('with --socket-activation', () => {
  const OWN = { path: null, group: null };
  const place = { home: '/home/ann', configHome: '/home/ann/.config' };
  const filesFor = (scope: 'user' | 'system', listenAt: ServiceFacts['listenAt']) =>
    serviceFiles({ manager: 'systemd', scope }, { ...FACTS, listenAt }, { place, shipped: textOf });
  const socketOf = (scope: 'user' | 'system', listenAt: ServiceFacts['listenAt']) =>
    filesFor(scope, listenAt).find(({ path }) => path.endsWith('/freshd.socket'));

  test('there is a socket unit beside that of the service, whose folder outlasts a stop', () => {
    expect(socketOf('user', null)).toBeUndefined();
    expect(socketOf('user', OWN)).toEqual({
      path: '/home/ann/.config/systemd/user/freshd.socket',
      content: textOf('systemd/user/freshd.socket'),
    });
    expect(socketOf('system', OWN)).toEqual({
      path: '/etc/systemd/system/freshd.socket',
      content: textOf('systemd/freshd.socket'),
    });
    const unit = (listenAt: ServiceFacts['listenAt']) =>
      filesFor('user', listenAt).find(({ path }) => path.endsWith('.service'))?.content ?? '';
    expect(lineOf(unit(null), 'RuntimeDirectoryPreserve')).toEqual(['RuntimeDirectoryPreserve=restart']);
    expect(lineOf(unit(OWN), 'RuntimeDirectoryPreserve')).toEqual(['RuntimeDirectoryPreserve=yes']);
  });

  test('the socket is where the configuration says, as systemd reads it', () => {
    const unit = socketOf('user', { ...OWN, path: '/srv/100% mine/freshd.sock' })?.content ?? '';
    expect(lineOf(unit, 'ListenStream')).toEqual(['ListenStream=/srv/100%% mine/freshd.sock']);
  });

  test.each(['user', 'system'] as const)(
    'the socket of the %s is for the group that the configuration names',
    (scope) => {
      const unit = socketOf(scope, { path: null, group: 'readers' })?.content ?? '';
      expect(['SocketMode', 'SocketGroup', 'DirectoryMode'].flatMap((name) => lineOf(unit, name))).toEqual([
        'SocketMode=0660',
        'SocketGroup=readers',
        'DirectoryMode=0750',
      ]);
    },
  );
});

describe('a stop', () => {
  test('may take longer than the longest script with its grace, and never less than the shipped units say', () => {
    expect(lineOf(USER_UNIT, 'TimeoutStopSec')).toEqual([`TimeoutStopSec=${stopSecondsFor(0)}`]);
    expect(stopSecondsFor(135_000)).toBe(180);
    expect(stopSecondsFor(600_000)).toBe(645);
  });
});

test('the PATH of a service has each absolute folder once, and no other', () => {
  expect(servicePath('/a:./b::/a:~/c:/d')).toBe('/a:/d');
  expect([servicePath(undefined), servicePath('bin:.')]).toEqual([null, null]);
});

test('programs that the sandbox of the system unit hides are found before it is installed', () => {
  expect(hiddenFromSystem(['/usr/bin/node', '/home/ann/.nvm/node', '/root/x'])).toBe('/home/ann/.nvm/node');
  expect(hiddenFromSystem(['/usr/bin/node', '/opt/root/x', '/homes/x'])).toBeNull();
});

describe('launchd', () => {
  const place = { home: '/Users/ann & co', configHome: '/Users/ann & co/.config' };

  test.for(['user', 'system'] as const)(
    'A17: the property list of the %s is strict XML, and says what it must',
    (scope, ctx) => {
      const [file] = serviceFiles({ manager: 'launchd', scope }, FACTS, { place, shipped: textOf });
      const program =
        'import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read(), fmt=plistlib.FMT_XML)))';
      const { status, stdout, stderr, error } = spawnSync('python3', ['-c', program], {
        input: file?.content ?? '',
        encoding: 'utf8',
      });
      if (error !== undefined) return ctx.skip(`python3 cannot be run: ${error.message}`);
      expect([status, stderr]).toEqual([0, '']);
      const log = scope === 'user' ? '/Users/ann & co/Library/Logs/freshd.log' : '/var/log/freshd.log';
      expect(JSON.parse(stdout)).toEqual({
        Label: scope === 'user' ? 'dev.freshd.agent' : 'dev.freshd.daemon',
        ProgramArguments: [FACTS.node, FACTS.program, 'run', '--config', FACTS.config],
        EnvironmentVariables: { PATH: FACTS.path, FRESHD_SERVICE: 'launchd' },
        ...(scope === 'user' ? {} : { UserName: '_freshd' }),
        RunAtLoad: true,
        KeepAlive: { SuccessfulExit: false },
        ThrottleInterval: 10,
        ExitTimeOut: 645,
        AbandonProcessGroup: true,
        ProcessType: 'Background',
        Umask: 0o077,
        WorkingDirectory: scope === 'user' ? '/Users/ann & co' : '/var/empty',
        StandardOutPath: log,
        StandardErrorPath: log,
        HardResourceLimits: { Core: 0 },
        SoftResourceLimits: { Core: 0, NumberOfFiles: 8_192 },
      });
      expect(file?.path).toBe(
        scope === 'user'
          ? '/Users/ann & co/Library/LaunchAgents/dev.freshd.agent.plist'
          : '/Library/LaunchDaemons/dev.freshd.daemon.plist',
      );
    },
  );

  test('leaves no place open: what stands between at signs is all put in', () => {
    const text = renderPlist(textOf('launchd/dev.freshd.agent.plist'), {
      ...FACTS,
      path: null,
      home: '/h',
      log: '/l',
    });
    expect(text).not.toMatch(/@[A-Z_]+@/);
  });
});
