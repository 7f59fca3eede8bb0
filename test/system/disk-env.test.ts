/** A real daemon whose `.env` lies where it cannot be written: each such target fails alone, says why, and recovers by itself. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { configure, demo, eventually, is, seed, startServer, stored } from './arrange.ts';
import { createMounts, fill, mountFailing, noFuse, noMounts } from './mounts.ts';
import { createWorkshop } from './workshop.ts';

const CASES = [
  {
    place: 'on a full disk',
    mounting: `mount -t tmpfs -o size=64k none app; echo OLD=1 > app/.env; ${fill('app')}`,
    code: 'disk_full',
    remedy: 'free space on that file system',
    cure: 'rm app/fill',
  },
  {
    place: 'where no inode is left',
    mounting: 'mount -t tmpfs -o size=1m,nr_inodes=3 none app; echo OLD=1 > app/.env; : > app/fill',
    code: 'out_of_inodes',
    remedy: 'no inode is left',
    cure: 'rm app/fill',
  },
  {
    place: 'on a read-only disk',
    mounting: 'mount -t tmpfs none app; echo OLD=1 > app/.env; mount -o remount,ro app',
    code: 'read_only_filesystem',
    remedy: 'remount it writable',
    cure: 'mount -o remount,rw app',
  },
  {
    place: 'mounted by itself',
    mounting: 'echo OLD=1 > real; cp real app/.env; mount --bind real app/.env',
    code: 'bind_mounted',
    remedy: 'mount the directory instead of the file, or set "write": "in-place"',
    cure: 'umount app/.env',
  },
  {
    place: 'where the quota is used up',
    mounting: `${mountFailing('app', 'write', constants.errno.EDQUOT)}; echo OLD=1 > app/.env; : > failing`,
    code: 'quota_exceeded',
    remedy: 'raise the quota',
    cure: 'rm failing',
  },
  {
    place: 'on a device that fails',
    mounting: `${mountFailing('app', 'fsync', constants.errno.EIO)}; echo OLD=1 > app/.env; : > failing`,
    code: 'io_error',
    remedy: 'disk errors in the kernel log',
    cure: 'rm failing',
  },
];

test.for(CASES)(
  'F40 F41 F42: a .env $place stays as it was and is said to fail, while all else has the token',
  async (fault, ctx) => {
    const reason = fault.cure === 'rm failing' ? noFuse : noMounts;
    if (reason !== null) return ctx.skip(reason);
    const server = await startServer(60);
    const workshop = createWorkshop();
    const publish = [
      { envFile: 'app/.env', variable: 'APP_TOKEN' },
      { envFile: '.env', variable: 'DEMO_TOKEN' },
    ];
    configure(workshop, { demo: demo(server, { publish }) });
    seed(workshop, server, 3_600);
    const mounts = await createMounts(workshop, `mkdir app; ${fault.mounting}`);
    const target = () => readFileSync(mounts.path('app/.env'), 'utf8');

    const daemon = await mounts.start().ready();
    expect(await daemon.until(is('publish_failed'))).toMatchObject({
      target: `envFile:${workshop.path('app/.env')}#APP_TOKEN`,
      code: fault.code,
      remedy: expect.stringContaining(fault.remedy),
    });
    await daemon.until(is('refresh_succeeded'));
    await eventually(() => workshop.env().DEMO_TOKEN === stored(workshop).access_token);
    expect(await workshop.get('/v1/tokens/demo')).toMatchObject({ status: 200, body: { durable: true } });
    expect((await workshop.get('/v1/health/ready')).status).toBe(503);
    expect(target()).toBe('OLD=1\n');

    mounts.run(fault.cure);
    await daemon.until(is('publish_restored'));
    expect(target()).toMatch(new RegExp(`^OLD=1\\nAPP_TOKEN=${stored(workshop).access_token}\\n`));
    expect(mounts.run('ls -A app')).toBe('.env\n');
  },
);
