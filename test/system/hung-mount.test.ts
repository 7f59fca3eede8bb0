/** A real daemon with more targets on a file system that never answers than the process has threads for files. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { configure, demo, eventually, seed, startServer, stored } from './arrange.ts';
import { createMounts, noMounts } from './mounts.ts';
import { createWorkshop } from './workshop.ts';

// Of FUSE there is only the kernel's half: nobody answers, until the process that holds the descriptor is ended.
const HANG = `exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung app
sleep 600 > fuse.out 2>&1 & echo $! > fuse.pid`;
const END = 'if [ -e fuse.pid ]; then kill -KILL $(cat fuse.pid); rm fuse.pid; umount -l app; fi';
const HUNG_TARGETS = 12;

test.for([{ since: 'before the start' }, { since: 'some time' }])(
  'F83: twelve targets on a mount that hangs since $since hold up no refresh, no journal and no other target',
  async ({ since }, ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const server = await startServer(2);
    const workshop = createWorkshop();
    const targets = Array.from({ length: HUNG_TARGETS }, (_, nth) => ({
      envFile: `app/${nth}.env`,
      variable: 'TOKEN',
    }));
    const publish = [...targets, { envFile: '.env', variable: 'DEMO_TOKEN' }];
    configure(workshop, { demo: demo(server, { publish }) });
    seed(workshop, server, 3_600);
    const mounts = await createMounts(workshop, 'mkdir app');
    onTestFinished(() => void mounts.run(END));
    const isEarly = since === 'before the start';
    if (isEarly) mounts.run(HANG);
    const daemon = mounts.start();
    if (isEarly) {
      const advice = await daemon.until(({ event, code }) => event === 'config_advice' && code === 'files_silent');
      expect(advice.detail).toContain('see which mount hangs');
    }
    const isDelivered = () => workshop.env().DEMO_TOKEN === stored(workshop).access_token;
    await eventually(isDelivered);
    if (!isEarly) mounts.run(HANG);
    const { refreshed } = server.state().requests;
    for (let more = 1; more <= 3; more += 1) {
      await eventually(() => server.state().requests.refreshed >= refreshed + more);
      await eventually(isDelivered);
    }
    mounts.run(END);
    const last = mounts.path(`app/${HUNG_TARGETS - 1}.env`);
    await eventually(
      () => existsSync(last) && readFileSync(last, 'utf8').includes(String(stored(workshop).access_token)),
    );
    expect(await daemon.end('SIGTERM')).toBe(0);
  },
);
