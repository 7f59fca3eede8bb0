import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFileOnce, sweepStaleTemps, writeFileAtomic, writeInPlace } from '../../src/adapters/atomic-file.ts';
import { bundleProgram, runInOwnMounts, startProgram, whyNoOwnMounts } from './child-program.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'freshd-atomic-'));
  file = join(directory, 'env');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const isRoot = process.getuid?.() === 0;
const needsRoot = 'needs root';
const noMounts = whyNoOwnMounts();

/** Writes argv[2] with the content argv[3]; prints `ok`, or the code of the error and the names left in the directory. */
const WRITER = `
  import { readdirSync } from 'node:fs';
  import { dirname } from 'node:path';
  import { writeFileAtomic, writeInPlace } from './adapters/atomic-file.ts';
  const [path, content, way] = process.argv.slice(2);
  try {
    if (way === 'in-place') await writeInPlace(path, content);
    else await writeFileAtomic(path, content.repeat(Number(way ?? 1)), { modeWhenCreated: 0o600 });
    console.log('ok');
  } catch (error) {
    console.log(error.code, JSON.stringify(readdirSync(dirname(path)).sort()), error.remedy);
  }
`;

describe('a temp that could not be removed', () => {
  test('I7: is removed as soon as other writes succeed again', async () => {
    const folder = join(directory, 'tokens');
    const aside = join(directory, 'aside');
    mkdirSync(folder);
    // The disk fails between the temp and its rename: nothing can be reached by its path for the time being.
    const fails = async () => {
      renameSync(folder, aside);
      writeFileSync(folder, '');
      return false;
    };
    for (const name of ['a', 'b']) {
      await expect(
        writeFileAtomic(join(folder, name), 'secret', { modeWhenCreated: 0o600, unchanged: fails }),
      ).rejects.toMatchObject({ code: 'changed_meanwhile' });
      rmSync(folder);
      renameSync(aside, folder);
    }
    expect(readdirSync(folder)).toHaveLength(2);
    await vi.waitFor(async () => {
      await writeFileAtomic(file, 'A=1', { modeWhenCreated: 0o600 });
      expect(readdirSync(folder)).toEqual([]);
    });
  });
});

describe('a new file', () => {
  test('gets its content and exactly the mode asked for, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(file, 'A=1\n', { modeWhenCreated: 0o640 });
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe('A=1\n');
    expect(modeOf(file)).toBe(0o640);
    expect(readdirSync(directory)).toEqual(['env']);
  });

  test('F46: in a missing directory is refused, and says so', async () => {
    await expect(writeFileAtomic(join(directory, 'gone/env'), 'A', { modeWhenCreated: 0o600 })).rejects.toMatchObject({
      name: 'PortError',
      code: 'directory_missing',
      remedy: 'create the directory',
    });
  });

  test('a name of 255 bytes still leaves room for the temp', async () => {
    const long = join(directory, 'é'.repeat(127));
    await writeFileAtomic(long, 'x', { modeWhenCreated: 0o600 });
    expect(readFileSync(long, 'utf8')).toBe('x');
  });
});

describe('an existing file', () => {
  test('keeps its mode', async () => {
    writeFileSync(file, 'old');
    chmodSync(file, 0o664);
    await writeFileAtomic(file, 'new', { modeWhenCreated: 0o600 });
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(modeOf(file)).toBe(0o664);
  });

  test('keeps its owner and group', async (ctx) => {
    if (!isRoot) return ctx.skip(needsRoot);
    writeFileSync(file, 'old');
    chownSync(file, 1234, 2345);
    await writeFileAtomic(file, 'new', { modeWhenCreated: 0o600 });
    expect(statSync(file)).toMatchObject({ uid: 1234, gid: 2345 });
    await writeFileAtomic(file, 'ours', { modeWhenCreated: 0o600, keepOwner: false });
    expect(statSync(file)).toMatchObject({ uid: 0, gid: 0 });
  });

  test('is refused, and stays, when its owner cannot be kept', async (ctx) => {
    if (!isRoot) return ctx.skip(needsRoot);
    chmodSync(directory, 0o777);
    writeFileSync(file, 'old');
    const program = await bundleProgram(directory, WRITER);
    const nobody = { uid: 65534, gid: 65534 };
    const run = spawnSync(process.execPath, [program, file, 'new'], { encoding: 'utf8', ...nobody });
    expect(run.stdout).toMatch(/^permission_denied \["env","program.mjs"\]/);
    expect(readFileSync(file, 'utf8')).toBe('old');
  });

  test('F44: is left alone when the caller finds it changed right before the rename', async () => {
    writeFileSync(file, 'theirs');
    const seen: string[] = [];
    const unchanged = async (): Promise<boolean> => {
      seen.push(...readdirSync(directory));
      return false;
    };
    await expect(writeFileAtomic(file, 'ours', { modeWhenCreated: 0o600, unchanged })).rejects.toMatchObject({
      code: 'changed_meanwhile',
    });
    // Asked late: the temp is written already.
    expect(seen).toHaveLength(2);
    expect(readFileSync(file, 'utf8')).toBe('theirs');
    expect(readdirSync(directory)).toEqual(['env']);
  });

  test('two writers at once leave one of the two contents, whole', async () => {
    const contents = ['a', 'b'].map((letter) => letter.repeat(300_000));
    await Promise.all(contents.map((content) => writeFileAtomic(file, content, { modeWhenCreated: 0o600 })));
    expect(contents).toContain(readFileSync(file, 'utf8'));
    expect(readdirSync(directory)).toEqual(['env']);
  });
});

describe('F43: what is not a plain file', () => {
  test('a symlink is refused and stays a symlink', async () => {
    writeFileSync(join(directory, 'real'), 'old');
    symlinkSync('real', file);
    await expect(writeFileAtomic(file, 'new', { modeWhenCreated: 0o600 })).rejects.toMatchObject({
      code: 'symlink_refused',
    });
    await expect(writeInPlace(file, 'new')).rejects.toMatchObject({ code: 'symlink_refused' });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('old');
  });

  test('a symlink is followed when asked, and stays; the temp lies beside its target', async () => {
    mkdirSync(join(directory, 'elsewhere'));
    writeFileSync(join(directory, 'elsewhere/real'), 'old', { mode: 0o604 });
    symlinkSync('elsewhere/real', file);
    let temps: string[] = [];
    const unchanged = async (): Promise<boolean> => {
      temps = readdirSync(join(directory, 'elsewhere')).filter((name) => name !== 'real');
      return true;
    };
    await writeFileAtomic(file, 'new', { modeWhenCreated: 0o600, followSymlink: true, unchanged });
    expect(temps).toHaveLength(1);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(directory, 'elsewhere/real'), 'utf8')).toBe('new');
    expect(modeOf(file)).toBe(0o604);
  });

  test('a symlink that points nowhere is refused even when links are followed', async () => {
    symlinkSync('nowhere', file);
    await expect(writeFileAtomic(file, 'new', { modeWhenCreated: 0o600, followSymlink: true })).rejects.toMatchObject({
      code: 'symlink_refused',
    });
  });

  test('a FIFO, a directory and a device are refused without being opened for long', async () => {
    spawnSync('mkfifo', [file]);
    for (const path of [file, directory, '/dev/null']) {
      await expect(writeFileAtomic(path, 'new', { modeWhenCreated: 0o600 })).rejects.toMatchObject({
        code: 'not_a_regular_file',
      });
      await expect(writeInPlace(path, 'new')).rejects.toMatchObject({ code: 'not_a_regular_file' });
    }
  });

  test('a hard link is refused, and both names keep the old content', async () => {
    writeFileSync(file, 'old');
    linkSync(file, join(directory, 'twin'));
    for (const write of [writeFileAtomic(file, 'new', { modeWhenCreated: 0o600 }), writeInPlace(file, 'new')]) {
      await expect(write).rejects.toMatchObject({ code: 'hard_link_refused' });
    }
    expect(readFileSync(file, 'utf8')).toBe('old');
  });
});

describe('durability', () => {
  test('F36: the data is synced before the rename, and the directory after it', async (ctx) => {
    if (spawnSync('strace', ['-V']).status !== 0) return ctx.skip('strace is not installed');
    const program = await bundleProgram(directory, WRITER);
    const trace = join(directory, 'trace');
    const calls = 'trace=openat,write,fsync,rename,renameat,renameat2';
    const run = spawnSync('strace', ['-f', '-y', '-e', calls, '-o', trace, process.execPath, program, file, 'A=1'], {
      encoding: 'utf8',
    });
    if (/ptrace/i.test(run.stderr)) return ctx.skip(`strace may not trace here: ${run.stderr.trim()}`);
    expect(run.stdout).toBe('ok\n');
    const steps = readFileSync(trace, 'utf8')
      .split('\n')
      .map((line) => {
        if (/write\(\d+<[^>]*\.env\.freshd-/.test(line)) return 'write temp';
        if (/fsync\(\d+<[^>]*\.env\.freshd-/.test(line)) return 'sync temp';
        if (/rename\w*\(.*\.env\.freshd-.*\/env"/.test(line)) return 'rename';
        if (line.includes(`fsync(`) && line.includes(`<${directory}>`)) return 'sync directory';
        return null;
      })
      .filter((step) => step !== null);
    expect(steps).toEqual(['write temp', 'sync temp', 'rename', 'sync directory']);
  });

  test('F35: killed between temp and rename, the old file is whole, and the temp (0600) is swept', async () => {
    writeFileSync(file, 'old');
    const program = await bundleProgram(
      directory,
      `import { writeFileAtomic } from './adapters/atomic-file.ts';
       await writeFileAtomic(process.argv[2], 'new', { modeWhenCreated: 0o600, unchanged: () => {
         console.log('before the rename');
         return new Promise((resolve) => setTimeout(resolve, 60_000));
       } });`,
    );
    chmodSync(file, 0o600);
    const { child } = await startProgram(program, [file]);
    const temps = (): string[] => readdirSync(directory).filter((name) => name.includes('.freshd-'));
    const [temp] = temps();
    expect(temp).toMatch(new RegExp(`^\\.env\\.freshd-${child.pid}-[0-9a-f]{12}$`));
    expect(modeOf(join(directory, String(temp)))).toBe(0o600);
    // Its writer lives: it stays.
    expect(await sweepStaleTemps(directory)).toEqual([]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(await sweepStaleTemps(directory)).toEqual([join(directory, String(temp))]);
    expect(temps()).toEqual([]);
  });
});

describe('the sweep', () => {
  test('removes temps of an earlier process with our pid (in a container always 1), and nothing else', async () => {
    // pid 1 lives, and began before any file here.
    const ours = `.env.freshd-${process.pid}-0123456789ab`;
    const aliens = [
      '.env.freshd-1-0123456789ab',
      '.env.freshd-x-0123456789ab',
      '.env.other',
      'env.freshd-2-0123456789ab',
    ];
    for (const name of [ours, ...aliens]) writeFileSync(join(directory, name), '');
    expect(await sweepStaleTemps(directory)).toEqual([join(directory, ours)]);
    expect(readdirSync(directory).sort()).toEqual([...aliens].sort());
  });

  test('removes a temp whose pid a younger process has got since', async () => {
    const sleeper = spawn('sleep', ['60']);
    try {
      const temp = join(directory, `.env.freshd-${sleeper.pid}-0123456789ab`);
      writeFileSync(temp, '');
      expect(await sweepStaleTemps(directory)).toEqual([]);
      const anHourAgo = Date.now() / 1000 - 3600;
      utimesSync(temp, anHourAgo, anHourAgo);
      expect(await sweepStaleTemps(directory)).toEqual(existsSync('/proc/self/stat') ? [temp] : []);
    } finally {
      sleeper.kill();
    }
  });

  test('leaves the temp that this process is writing', async () => {
    let swept: string[] = ['not asked'];
    const unchanged = async (): Promise<boolean> => {
      swept = await sweepStaleTemps(directory);
      return true;
    };
    await writeFileAtomic(file, 'x', { modeWhenCreated: 0o600, unchanged });
    expect(swept).toEqual([]);
  });

  test('finds nothing in a missing directory', async () => {
    expect(await sweepStaleTemps(join(directory, 'gone'))).toEqual([]);
  });
});

describe('full and broken disks', () => {
  /** Runs the writer on `<mount>/env`, which holds `old`. */
  async function writeOn(mounting: string, content: string, way = '1'): Promise<{ said: string; left: string }> {
    const program = await bundleProgram(directory, WRITER);
    const mount = join(directory, 'mount');
    mkdirSync(mount);
    const script = `cd ${directory}; ${mounting}; ${process.execPath} ${program} ${mount}/env ${content} ${way}; head -c 99 ${mount}/env`;
    const run = runInOwnMounts(script);
    expect(run.stderr).toBe('');
    const [said = '', ...left] = run.stdout.split('\n');
    return { said, left: left.join('\n') };
  }

  test('F39 F40: on a full disk the old content stays, the temp goes, and the code is disk_full', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const mounting = 'mount -t tmpfs -o size=64k none mount; printf old > mount/env';
    const { said, left } = await writeOn(mounting, 'x'.repeat(1000), '100');
    expect(said).toBe('disk_full ["env"] free space on that file system');
    expect(left).toBe('old');
  });

  test('F40: in place, a full disk leaves the old content too', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const mounting =
      'mount -t tmpfs -o size=64k none mount; printf old > mount/env; head -c 57344 /dev/zero > mount/fill';
    const { said, left } = await writeOn(mounting, 'x'.repeat(100_000), 'in-place');
    expect(said).toMatch(/^disk_full/);
    expect(left).toBe('old');
  });

  test('F41: without inodes the code is out_of_inodes', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const mounting = 'mount -t tmpfs -o size=1m,nr_inodes=2 none mount; printf old > mount/env';
    const { said, left } = await writeOn(mounting, 'new');
    expect(said).toMatch(/^out_of_inodes \["env"\]/);
    expect(left).toBe('old');
  });

  test('F41: on a read-only file system the code is read_only_filesystem', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const mounting = 'mount -t tmpfs none mount; printf old > mount/env; mount -o remount,ro mount';
    const { said, left } = await writeOn(mounting, 'new');
    expect(said).toMatch(/^read_only_filesystem \["env"\]/);
    expect(left).toBe('old');
  });

  test('F42: a bind-mounted file is refused with the fix, and written only in place', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const mounting = 'printf old > source; printf x > mount/env; mount --bind source mount/env';
    const refused = await writeOn(mounting, 'new');
    expect(refused.said).toBe(
      'bind_mounted ["env"] mount the directory instead of the file, or set "write": "in-place" for it',
    );
    expect(refused.left).toBe('old');
    rmSync(join(directory, 'mount'), { recursive: true });
    const inPlace = await writeOn(mounting, 'new', 'in-place');
    expect(inPlace.said).toBe('ok');
    expect(readFileSync(join(directory, 'source'), 'utf8')).toBe('new');
  });
});

test('a write in place replaces longer and shorter content', async () => {
  writeFileSync(file, 'a longer content');
  await writeInPlace(file, 'short');
  expect(readFileSync(file, 'utf8')).toBe('short');
  await writeInPlace(file, 'a longer content again');
  expect(readFileSync(file, 'utf8')).toBe('a longer content again');
  await expect(writeInPlace(join(directory, 'gone'), 'x')).rejects.toMatchObject({ code: 'directory_missing' });
});

test('of many creators of one file exactly one succeeds, and no temp remains', async () => {
  const contents = Array.from({ length: 20 }, (_, index) => `content ${index}`);
  const created = await Promise.all(contents.map((content) => createFileOnce(file, content, { mode: 0o600 })));
  expect(created.filter(Boolean)).toHaveLength(1);
  expect(readFileSync(file, 'utf8')).toBe(contents[created.indexOf(true)]);
  expect(modeOf(file)).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['env']);
  expect(existsSync(file)).toBe(true);
});
