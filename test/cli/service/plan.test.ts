import { describe, expect, test } from 'vitest';
import {
  type Found,
  type InstallRecord,
  type InstallRequest,
  planInstall,
  planUninstall,
  stepText,
} from '../../../src/cli/service/plan.ts';

const UNIT_PATH = '/home/ann/.config/systemd/user/freshd.service';
const RECORD_PATH = '/home/ann/.config/freshd/service-install.json';
const digestOf = (content: string) => `digest of ${content}`;

const request = (changes: Partial<InstallRequest> = {}): InstallRequest => ({
  manager: 'systemd',
  scope: 'user',
  uid: 1000,
  user: 'ann',
  files: [{ path: UNIT_PATH, content: 'new' }],
  digestOf,
  linger: true,
  start: true,
  recordPath: RECORD_PATH,
  ...changes,
});
const NOTHING: Found = { record: null, digests: {}, isEnabled: false, isActive: false };
const record = (changes: Partial<InstallRecord> = {}): InstallRecord => ({
  version: 1,
  manager: 'systemd',
  scope: 'user',
  files: { [UNIT_PATH]: digestOf('new') },
  enabledLingering: false,
  ...changes,
});
const texts = (changes: Partial<InstallRequest> = {}, found: Partial<Found> = {}) => {
  const plan = planInstall(request(changes), { ...NOTHING, ...found });
  return plan.ok ? plan.steps.map(stepText) : plan;
};

describe('an installation', () => {
  test('records what it will have written before it writes, and starts the service last', () => {
    expect(texts()).toEqual([
      `write ${RECORD_PATH}`,
      'run loginctl enable-linger ann',
      'wait for /run/user/1000/systemd/private',
      `write ${UNIT_PATH}`,
      'run systemctl --user daemon-reload',
      'run systemctl --user enable freshd.service',
      'run systemctl --user restart freshd.service',
    ]);
  });

  test('of the system makes its user, and does not start what has no configuration yet', () => {
    const files = ['/etc/sysusers.d/freshd.conf', '/etc/systemd/system/freshd.service'].map((path) => ({
      path,
      content: '',
    }));
    expect(texts({ scope: 'system', files, linger: false, start: false })).toEqual([
      `write ${RECORD_PATH}`,
      ...files.map(({ path }) => `write ${path}`),
      'run systemd-sysusers /etc/sysusers.d/freshd.conf',
      'run systemctl daemon-reload',
      'run systemctl enable freshd.service',
    ]);
  });

  test('with launchd ends an older one first, which may not be there', () => {
    const files = [{ path: '/Users/ann/Library/LaunchAgents/dev.freshd.agent.plist', content: '' }];
    const plan = planInstall(request({ manager: 'launchd', linger: false, uid: 501, files }), NOTHING);
    expect(plan.ok && plan.steps.slice(2)).toEqual([
      { do: 'run', argv: ['launchctl', 'bootout', 'gui/501/dev.freshd.agent'], mayFail: true },
      { do: 'run', argv: ['launchctl', 'bootstrap', 'gui/501', files[0]?.path] },
    ]);
  });

  test('that is whole already comes to nothing', () => {
    const found = { record: record(), digests: record().files, isEnabled: true, isActive: true };
    expect(texts({ linger: false }, found)).toEqual([]);
  });

  test('starts again what has stopped, and writes again what is new, over its own file of before', () => {
    const whole = { record: record(), digests: record().files, isEnabled: true };
    expect(texts({ linger: false }, whole)).toContain('run systemctl --user restart freshd.service');
    const old = { [UNIT_PATH]: digestOf('old') };
    const found = { record: record({ files: old }), digests: old, isEnabled: true, isActive: true };
    expect(texts({ linger: false }, found)).toEqual([
      `write ${RECORD_PATH}`,
      `write ${UNIT_PATH}`,
      'run systemctl --user daemon-reload',
      'run systemctl --user enable freshd.service',
      'run systemctl --user restart freshd.service',
    ]);
  });

  test.each([
    ['that it did not write', null],
    ['that somebody has changed since', record({ files: { [UNIT_PATH]: digestOf('old') } })],
  ])('does not touch a file %s', (_what, known) => {
    const found = { record: known, digests: { [UNIT_PATH]: digestOf('by hand') } };
    expect(texts({}, found)).toEqual({ ok: false, foreign: [UNIT_PATH] });
  });

  describe('with the socket unit', () => {
    const socketPath = '/home/ann/.config/systemd/user/freshd.socket';
    const files = [
      { path: UNIT_PATH, content: 'new' },
      { path: socketPath, content: 'socket' },
    ];
    const digests = { [UNIT_PATH]: digestOf('new'), [socketPath]: digestOf('socket') };
    const running = { isEnabled: true, isActive: true };

    test('has both down before it starts both, since systemd opens no socket for a service that runs', () => {
      const found = { record: record(), digests: record().files, ...running };
      expect(texts({ linger: false, files }, found)).toEqual([
        `write ${RECORD_PATH}`,
        `write ${socketPath}`,
        'run systemctl --user daemon-reload',
        'run systemctl --user enable freshd.socket freshd.service',
        'run systemctl --user stop freshd.socket freshd.service',
        'run systemctl --user start freshd.socket freshd.service',
      ]);
    });

    test('that is whole already comes to nothing', () => {
      expect(texts({ linger: false, files }, { record: record({ files: digests }), digests, ...running })).toEqual([]);
    });

    test('is removed by an installation that does without it, before the record forgets it', () => {
      const found = { record: record({ files: digests }), digests, ...running };
      expect(texts({ linger: false }, found)).toEqual([
        'run systemctl --user disable --now freshd.socket',
        `remove ${socketPath}`,
        `write ${RECORD_PATH}`,
        'run systemctl --user daemon-reload',
        'run systemctl --user enable freshd.service',
        'run systemctl --user restart freshd.service',
      ]);
      const changed = { ...found, digests: { ...digests, [socketPath]: digestOf('by hand') } };
      expect(texts({ linger: false }, changed)).toEqual({ ok: false, foreign: [socketPath] });
    });

    test('is undone whole', () => {
      const { steps } = planUninstall(record({ files: digests }), {
        uid: 1000,
        user: 'ann',
        recordPath: RECORD_PATH,
        digests,
      });
      expect(steps.map(stepText)).toEqual([
        'run systemctl --user disable --now freshd.socket freshd.service',
        `remove ${UNIT_PATH}`,
        `remove ${socketPath}`,
        'run systemctl --user daemon-reload',
        `remove ${RECORD_PATH}`,
      ]);
    });
  });

  test('remembers over later installations that it was the one to enable lingering', () => {
    const plan = planInstall(request({ linger: false }), { ...NOTHING, record: record({ enabledLingering: true }) });
    expect(plan.ok && plan.steps).not.toContainEqual(expect.objectContaining({ path: RECORD_PATH }));
  });
});

describe('its removal', () => {
  const options = { uid: 1000, user: 'ann', recordPath: RECORD_PATH, digests: record().files };

  test('undoes what was done, and nothing that was so before', () => {
    const { steps, kept } = planUninstall(record({ enabledLingering: true }), options);
    expect(kept).toEqual([]);
    expect(steps.map(stepText)).toEqual([
      'run systemctl --user disable --now freshd.service',
      `remove ${UNIT_PATH}`,
      'run systemctl --user daemon-reload',
      'run loginctl disable-linger ann',
      `remove ${RECORD_PATH}`,
    ]);
    expect(planUninstall(record(), options).steps.map(stepText)).not.toContain('run loginctl disable-linger ann');
  });

  test('leaves a file that was changed, and one that is gone needs no removal', () => {
    const changed = planUninstall(record(), { ...options, digests: { [UNIT_PATH]: 'another' } });
    expect(changed.kept).toEqual([UNIT_PATH]);
    expect(changed.steps.map(stepText)).not.toContain(`remove ${UNIT_PATH}`);
    const gone = planUninstall(record(), { ...options, digests: {} });
    expect([gone.kept, gone.steps.map(stepText).includes(`remove ${UNIT_PATH}`)]).toEqual([[], false]);
  });
});
