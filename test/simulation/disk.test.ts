/**
 * The simulated disk beside a real one: the same calls bring the same answers, the same errors and the same tree.
 *
 * Rule: each side is asked through the functions of Node's modules alone, by one list of steps that a seed makes.
 */
import * as realFs from 'node:fs';
import * as realPromises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createDisk } from './disk.ts';
import { randomOf } from './disk-test-kit.ts';
import * as simulatedFs from './fs.ts';
import * as simulatedPromises from './fs-promises.ts';

type Promises = typeof realPromises;
type Sync = typeof realFs;

/** One side of the comparison. */
interface Side {
  readonly promises: Promises;
  readonly sync: Sync;
  readonly root: string;
  readonly handles: (realPromises.FileHandle | null)[];
}

type Step = { readonly what: string; readonly run: (side: Side) => unknown };

const roots: string[] = [];
afterAll(() => {
  for (const root of roots) realFs.rmSync(root, { recursive: true, force: true });
});

describe('the simulated disk', () => {
  const umask = process.umask(0);
  afterAll(() => void process.umask(umask));

  test.each(Array.from({ length: 40 }, (_, seed) => seed))('answers as a real one does, seed %i', async (seed) => {
    const beside = realSide();
    const sides = [beside, simulatedSide(beside.root)] as const;
    const steps = stepsOf(randomOf(seed), 120);
    for (const [nth, { what, run }] of steps.entries()) {
      const [real, simulated] = await Promise.all(sides.map((side) => outcomeOf(side, run)));
      expect({ nth, what, outcome: simulated }).toEqual({ nth, what, outcome: real });
    }
    const [real, simulated] = sides.map((side) => treeOf(side, side.root));
    expect(simulated).toEqual(real);
    for (const { handles } of sides) for (const handle of handles) await handle?.close();
  });
});

function realSide(): Side {
  const place = realFs.realpathSync(realFs.mkdtempSync(join(tmpdir(), 'freshd-disk-')));
  roots.push(place);
  // One deeper, so that a link to `..` stays in what is ours.
  const root = join(place, 'root');
  realFs.mkdirSync(root);
  return { promises: realPromises, sync: realFs, root, handles: [null, null, null] };
}

/** @param root the same path, which some links hold */
function simulatedSide(root: string): Side {
  const schedule = (_: unknown, run: () => void): void => queueMicrotask(run);
  const disk = createDisk({ now: () => 1_800_000_000_000, random: () => 0.5, schedule, uid: process.getuid?.() ?? 0 });
  disk.makeDirectory(root);
  simulatedPromises.useDisk(disk.boot());
  simulatedFs.useDisk(disk.boot());
  return {
    promises: simulatedPromises as unknown as Promises,
    sync: simulatedFs as unknown as Sync,
    root,
    handles: [null, null, null],
  };
}

/** What a program would see: a value in plain words, or the error with the root cut out of it. */
async function outcomeOf(side: Side, run: Step['run']): Promise<unknown> {
  try {
    return plain(await run(side), side);
  } catch (error) {
    const { code, message, path, dest } = error as NodeJS.ErrnoException & { dest?: string };
    const known = code?.startsWith('ERR_') ? { code } : { code, message, path, dest };
    return JSON.parse(JSON.stringify(known).replaceAll(side.root, ''));
  }
}

function plain(value: unknown, side: Side): unknown {
  if (Buffer.isBuffer(value)) return `bytes ${value.toString('latin1')}`;
  if (typeof value === 'string') return value.replaceAll(side.root, '');
  if (Array.isArray(value)) return value.map((each) => plain(each, side));
  if (typeof value !== 'object' || value === null || !('isFile' in value)) return value;
  return 'size' in value
    ? factsOf(value as realFs.Stats)
    : `${(value as realFs.Dirent).name} ${kindOf(value as realFs.Dirent)}`;
}

/** Times only as "was set by utimes" or "by a change since": the two sides have different clocks. */
function factsOf(stats: realFs.Stats | realFs.BigIntStats): unknown {
  const isFolder = stats.isDirectory();
  const { mode, uid, size, nlink, mtimeMs, ctimeMs } = stats;
  const common = { kind: kindOf(stats), mode: Number(mode), uid: Number(uid), isOld: Number(mtimeMs) === OLD_MS };
  const isChangedLater = Number(ctimeMs) > OLD_MS;
  return isFolder ? common : { ...common, isChangedLater, size: Number(size), nlink: Number(nlink) };
}

function kindOf(entry: Pick<realFs.Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): string {
  return [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()].join();
}

function treeOf(side: Side, path: string): unknown {
  return side.sync.readdirSync(path).map((name) => {
    const each = join(path, name);
    const stats = side.sync.lstatSync(each);
    const content = stats.isFile() ? side.sync.readFileSync(each, 'latin1') : '';
    return [name, factsOf(stats), stats.isDirectory() ? treeOf(side, each) : content];
  });
}

function stepsOf(random: () => number, count: number): Step[] {
  const one = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  // Folders first, so that there is something to do.
  const first: Step[] = ['/a', '/b', '/a/c'].map((path) => ({
    what: `mkdir ${path}`,
    run: ({ promises, root }) => promises.mkdir(root + path, 0o755),
  }));
  const makers = [...PATH_STEPS, ...PATH_STEPS, ...HANDLE_STEPS, ...HANDLE_STEPS, ...SYNC_STEPS];
  return [...first, ...Array.from({ length: count }, () => one(makers)(one))];
}

type One = <T>(choices: readonly T[]) => T;
type Maker = (one: One) => Step;

const PATHS = [
  '/a',
  '/b',
  '/a/c',
  '/a/f',
  '/b/f',
  '/a/c/g',
  '/f',
  '/l',
  '/a/l',
  '/a/l/x',
  '/f/x',
  '/b/../f',
  '/a/c/../f',
];
// Neither a umask nor a missing right of an ordinary user can make a difference.
const MODES = [0o700, 0o755, 0o744, 0o711];
const TEXTS = ['', 'x', 'some text', 'y'.repeat(5000)];
const FLAGS = ['r', 'r+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'a+', 'ax+'];
const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = realFs.constants;
const NUMBERS = [
  O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  O_RDWR | O_NOFOLLOW | O_NONBLOCK,
  O_RDWR | O_CREAT | O_NOFOLLOW,
  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  O_RDONLY | O_DIRECTORY,
];
const OLD_MS = 1_000_000;

function step(what: string, run: Step['run']): Step {
  return { what, run };
}

const PATH_STEPS: readonly Maker[] = [
  (one) => onPath(one, 'stat', (side, path) => side.promises.stat(path)),
  (one) => onPath(one, 'stat bigint', (side, path) => side.promises.stat(path, { bigint: true })),
  (one) => onPath(one, 'lstat', (side, path) => side.promises.lstat(path)),
  (one) => onPath(one, 'access', (side, path) => side.promises.access(path)),
  (one) => onPath(one, 'readlink', (side, path) => side.promises.readlink(path)),
  (one) => onPath(one, 'realpath', (side, path) => side.promises.realpath(path)),
  (one) => onPath(one, 'readdir', (side, path) => side.promises.readdir(path)),
  (one) => onPath(one, 'readdir types', (side, path) => side.promises.readdir(path, { withFileTypes: true })),
  (one) => onPath(one, 'readFile', (side, path) => side.promises.readFile(path, 'utf8')),
  (one) => onPath(one, 'rmdir', (side, path) => side.promises.rmdir(path)),
  (one) => onPath(one, 'unlink', (side, path) => side.promises.unlink(path)),
  (one) => onPath(one, 'rm', (side, path) => side.promises.rm(path)),
  (one) => onPath(one, 'rm force', (side, path) => side.promises.rm(path, { force: true })),
  (one) => onPath(one, 'utimes', (side, path) => side.promises.utimes(path, 1, new Date(OLD_MS))),
  (one) => {
    const mode = one(MODES);
    return onPath(one, `mkdir ${mode}`, (side, path) => side.promises.mkdir(path, { mode }));
  },
  (one) => {
    const mode = one(MODES);
    return onPath(one, `chmod ${mode}`, (side, path) => side.promises.chmod(path, mode));
  },
  (one) => {
    const text = one(TEXTS);
    return onPath(one, `writeFile ${text.length}`, (side, path) =>
      side.promises.writeFile(path, text, { mode: 0o700 }),
    );
  },
  (one) => {
    const target = one(['f', '../b', 'ROOT/b/f', 'l', 'c/../f']);
    const run = (side: Side, path: string) => side.promises.symlink(target.replace('ROOT', side.root), path);
    return onPath(one, `symlink ${target}`, run);
  },
  (one) => onTwo(one, 'rename', (side, from, to) => side.promises.rename(from, to)),
  (one) => onTwo(one, 'rename', (side, from, to) => side.promises.rename(from, to)),
  (one) => onTwo(one, 'link', (side, from, to) => side.promises.link(from, to)),
];

function onPath(one: One, what: string, run: (side: Side, path: string) => unknown): Step {
  const path = one(PATHS);
  return step(`${what} ${path}`, (side) => run(side, side.root + path));
}

function onTwo(one: One, what: string, run: (side: Side, from: string, to: string) => unknown): Step {
  const [from, to] = [one(PATHS), one(PATHS)];
  return step(`${what} ${from} ${to}`, (side) => run(side, side.root + from, side.root + to));
}

const SYNC_STEPS: readonly Maker[] = [
  (one) => onPath(one, 'existsSync', (side, path) => side.sync.existsSync(path)),
  (one) => onPath(one, 'statSync', (side, path) => side.sync.statSync(path)),
  (one) => onPath(one, 'lstatSync', (side, path) => side.sync.lstatSync(path, { throwIfNoEntry: false })),
  (one) => onPath(one, 'readFileSync', (side, path) => side.sync.readFileSync(path)),
  (one) => onPath(one, 'readdirSync', (side, path) => side.sync.readdirSync(path)),
  (one) => onPath(one, 'rmSync', (side, path) => side.sync.rmSync(path, { force: true })),
  (one) =>
    onPath(one, 'mkdirSync', (side, path) => {
      try {
        side.sync.mkdirSync(`${path}/d/e`, { recursive: true });
        return 'made';
      } catch {
        // Which of its many calls failed, and how, Node itself sees differently from version to version.
        return 'refused';
      }
    }),
];

const HANDLE_STEPS: readonly Maker[] = [
  (one) => {
    const [slot, flags] = [one([0, 1, 2]), one<string | number>([...FLAGS, ...NUMBERS])];
    return onPath(one, `open ${flags} as ${slot}`, async (side, path) => {
      await side.handles[slot]?.close();
      side.handles[slot] = null;
      side.handles[slot] = await side.promises.open(path, flags, 0o744);
    });
  },
  (one) => {
    const [length, position] = [one([0, 3, 9000]), one([null, 0, 4, 7000])];
    return onHandle(one, `read ${length} at ${position}`, async (handle) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length + 1), 1, length, position);
      return buffer.subarray(0, 1 + bytesRead);
    });
  },
  (one) => {
    const [text, position] = [one(TEXTS), one([null, 0, 4, 7000])];
    return onHandle(one, `write ${text.length} at ${position}`, async (handle) => {
      const bytes = Buffer.from(`-${text}`);
      return (await handle.write(bytes, 1, bytes.length - 1, position)).bytesWritten;
    });
  },
  (one) => {
    const text = one(TEXTS);
    return onHandle(one, `writeFile ${text.length}`, (handle) => handle.writeFile(text));
  },
  (one) => {
    const size = one([0, 2, 6000]);
    return onHandle(one, `truncate ${size}`, (handle) => handle.truncate(size));
  },
  (one) => onHandle(one, 'readFile', (handle) => handle.readFile()),
  (one) => onHandle(one, 'stat', (handle) => handle.stat()),
  (one) => onHandle(one, 'chmod', (handle) => handle.chmod(0o711)),
  (one) => onHandle(one, 'sync', (handle) => handle.sync()),
  (one) => onHandle(one, 'datasync', (handle) => handle.datasync()),
  (one) => onHandle(one, 'close', (handle) => handle.close()),
];

function onHandle(one: One, what: string, run: (handle: realPromises.FileHandle) => unknown): Step {
  const slot = one([0, 1, 2]);
  return step(`${what} of ${slot}`, (side) => {
    const handle = side.handles[slot] ?? null;
    return handle === null ? 'not open' : run(handle);
  });
}
