/** A whole daemon on ports in memory: what a test does not name is a fake that it does not look at. */
import { createDaemon, type Daemon, type DaemonOptions } from '../../src/daemon/daemon.ts';
import { fakeJournal, fakeLeftRuns, fakeMemory, fingerprint, keptLog, manualAlarm } from './fakes.ts';

export function daemonOnFakes(options: Pick<DaemonOptions, 'clock' | 'credentials'> & Partial<DaemonOptions>): Daemon {
  return createDaemon({
    version: '0.0.0',
    configPath: '/nowhere/config.json',
    alarm: manualAlarm(),
    log: keptLog(),
    journal: fakeJournal(),
    memory: fakeMemory(),
    leftRuns: fakeLeftRuns(),
    sentinel: { set: async () => undefined },
    fingerprint,
    createRunId: () => 'run-1',
    bootId: null,
    settings: { sinks: [], alertKinds: [], maxConcurrentRefreshes: 4 },
    readConfiguration: async () => ({ ok: false, problems: ['not used'] }),
    ...options,
  });
}
