/** What launchd sees of a real daemon: it starts again whatever ends in anything but 0 (KeepAlive, SuccessfulExit). */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { configure } from './arrange.ts';
import { createWorkshop } from './workshop.ts';

const AS_IN_THE_PLIST = ['env', 'FRESHD_SERVICE=launchd'];

test('A17: a configuration that is wrong ends in 0 there, so that it is not started again and again', async () => {
  const workshop = createWorkshop();
  configure(workshop, { wrong: { unknown: 1 } });
  const daemon = workshop.startThrough(AS_IN_THE_PLIST);
  expect(await once(daemon.process, 'exit')).toEqual([0, null]);
  expect(daemon.stderr()).toContain('credentials.wrong.unknown');
});

test('A17: what another start may cure ends in something else there, as it does elsewhere', async () => {
  const workshop = createWorkshop();
  configure(workshop, {});
  const first = await workshop.start().ready();
  const second = workshop.startThrough(AS_IN_THE_PLIST);
  expect(await once(second.process, 'exit')).toEqual([75, null]);
  expect(await first.end('SIGTERM')).toBe(0);
});
