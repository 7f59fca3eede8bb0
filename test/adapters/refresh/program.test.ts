/** A script on a disk of the simulation, whose machine runs out of what it takes to look at one. */
import { expect, test, vi } from 'vitest';
import { inspectProgram } from '../../../src/adapters/refresh/program.ts';
import { createTestDisk } from '../../simulation/disk-test-kit.ts';
import { useDisk } from '../../simulation/fs-promises.ts';

vi.mock('node:fs', () => import('../../simulation/fs.ts'));
vi.mock('node:fs/promises', () => import('../../simulation/fs-promises.ts'));

test('F41: a script that the machine lets nobody look at is tried again, and is no bug of ours', async () => {
  let isShort = true;
  const disk = createTestDisk(0, { fault: () => (isShort ? 'EMFILE' : null) });
  disk.writeText('/bin/sh', '', { mode: 0o755 });
  disk.writeText('/opt/refresh', '#!/bin/sh\n', { mode: 0o755 });
  useDisk(disk.boot());
  const program = { name: '/opt/refresh', cwd: '/', searchPath: '/bin' };
  expect(await inspectProgram(program)).toMatchObject({
    kind: 'obstacle',
    failure: { class: 'transient', code: 'too_many_files', unsent: true, doubt: false },
  });
  isShort = false;
  expect(await inspectProgram(program)).toEqual({ kind: 'program', path: '/opt/refresh' });
});
