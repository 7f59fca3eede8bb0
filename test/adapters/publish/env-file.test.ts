import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createLastWritten } from '../../../src/adapters/publish/last-written.ts';
import { epochMs } from '../../../src/core/token.ts';
import { bundleProgram, runInOwnMounts, startProgram, whyNoOwnMounts } from '../child-program.ts';
import { EXPIRES_AT_SECONDS, envFile, memoryInRam, publication, temporaryDirectory } from './parts.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  path = join(directory, '.env');
});

const text = (): string => readFileSync(path, 'utf8');
const modeOf = (file: string): number => statSync(file).mode & 0o777;
const noMounts = whyNoOwnMounts();

describe('a publication', () => {
  test('A14: creates the file with 0600, with expiry and generation beside the token', async () => {
    await envFile(path, { metadata: true }).publisher.publish(publication('abc', 7));
    expect(text()).toBe(`TOKEN=abc\nTOKEN_EXPIRES_AT=${EXPIRES_AT_SECONDS}\nTOKEN_GENERATION=7\n`);
    expect(modeOf(path)).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['.env']);
  });

  test('A14: keeps other lines, comments, order and the mode', async () => {
    writeFileSync(path, '# bot\nNAME=bot\nexport TOKEN=old # its token\nLAST="x y"\n');
    chmodSync(path, 0o644);
    await envFile(path).publisher.publish(publication('abc'));
    expect(text()).toBe('# bot\nNAME=bot\n# its token\nexport TOKEN=abc\nLAST="x y"\n');
    expect(modeOf(path)).toBe(0o644);
  });

  test('F73: an assumed expiry is not published, and a known one of before goes', async () => {
    const { publisher } = envFile(path, { metadata: true });
    await publisher.publish(publication('abc', 7));
    await publisher.publish(publication('def', 8, { kind: 'assumed', expiresAt: epochMs(1) }));
    expect(text()).toBe('TOKEN=def\nTOKEN_GENERATION=8\n');
  });

  test('is skipped when nothing changes', async () => {
    const { publisher } = envFile(path);
    await publisher.publish(publication('abc'));
    utimesSync(path, 1, 1);
    const inode = statSync(path).ino;
    await publisher.publish(publication('abc'));
    expect(statSync(path)).toMatchObject({ ino: inode, mtimeMs: 1000 });
  });

  test('F45: a value that readers would read differently is refused without naming it, and the file stays', async () => {
    writeFileSync(path, 'TOKEN=old\n');
    const refused = envFile(path).publisher.publish(publication('SECRET\nx'));
    await expect(refused).rejects.toMatchObject({ code: 'value_not_representable' });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('SECRET') });
    expect(text()).toBe('TOKEN=old\n');
  });

  test('an edit that would change what dotenv reads elsewhere is refused, and nothing is written', async () => {
    // The opening quote of ours would close the one of A, with a comment behind it.
    writeFileSync(path, "A='open\nTOKEN=old\n");
    const refused = envFile(path).publisher.publish(publication('# x'));
    await expect(refused).rejects.toMatchObject({ code: 'verification_failed' });
    expect(text()).toBe("A='open\nTOKEN=old\n");
    expect(readdirSync(directory)).toEqual(['.env']);
  });

  test('a file that is no UTF-8 is refused, and its bytes stay', async () => {
    const bytes = Buffer.from('NAME=caf\xe9\n', 'latin1');
    writeFileSync(path, bytes);
    await expect(envFile(path).publisher.publish(publication('abc'))).rejects.toMatchObject({ code: 'not_utf8' });
    expect(readFileSync(path)).toEqual(bytes);
  });

  test('two credentials that publish into one file at once both arrive', async () => {
    const publishers = ['A', 'B', 'C', 'D'].map((variable) => envFile(path, { variable }).publisher);
    await Promise.all(publishers.map((publisher, nth) => publisher.publish(publication(`t${nth}`))));
    expect(text().split('\n').sort()).toEqual(['', 'A=t0', 'B=t1', 'C=t2', 'D=t3']);
  });

  test('one that fails does not hold up the next into the same file', async () => {
    const failing = envFile(path, { variable: 'A' }).publisher.publish(publication('x\ny'));
    const next = envFile(path, { variable: 'B' }).publisher.publish(publication('ok'));
    await expect(failing).rejects.toMatchObject({ code: 'value_not_representable' });
    await next;
    expect(text()).toBe('B=ok\n');
  });
});

describe('F44: when somebody saves the file between our read and our write', () => {
  test('their edit is kept, and ours is made on top of it', async () => {
    writeFileSync(path, 'A=1\nTOKEN=old\n');
    let edits = 0;
    const lastWritten = memoryInRam(async () => {
      edits += 1;
      if (edits === 1) writeFileSync(path, 'A=2\nB=3\nTOKEN=old\n');
    });
    await envFile(path, { lastWritten }).publisher.publish(publication('abc'));
    expect(text()).toBe('A=2\nB=3\nTOKEN=abc\n');
  });

  test.each(['atomic', 'in-place'] as const)(
    'five times in a row, the write (%s) gives up and says so',
    async (write) => {
      writeFileSync(path, 'A=0\n');
      let edits = 0;
      // Knows nothing at each load, so that each try saves again.
      const lastWritten = {
        load: async () => [],
        save: async () => {
          edits += 1;
          writeFileSync(path, `A=${edits}\n`);
        },
      };
      const given = envFile(path, { lastWritten, write }).publisher.publish(publication('abc'));
      await expect(given).rejects.toMatchObject({ code: 'changed_meanwhile' });
      expect(edits).toBe(5);
      expect(text()).toBe('A=5\n');
      expect(readdirSync(directory)).toEqual(['.env']);
    },
  );
});

describe('a withdrawal', () => {
  test('removes what freshd wrote and leaves the rest, also an empty file', async () => {
    writeFileSync(path, 'A=1\n');
    const { publisher } = envFile(path, { metadata: true });
    await publisher.publish(publication('abc'));
    await publisher.withdraw();
    expect(text()).toBe('A=1\n');
    rmSync(path);
    await publisher.publish(publication('def', 8));
    await publisher.withdraw();
    expect(text()).toBe('');
  });

  test('of a file that is not there is done already', async () => {
    await envFile(path).publisher.withdraw();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('F81: never removes a value that freshd did not write, and names the remedy', async () => {
    writeFileSync(path, 'TOKEN=theirs\n');
    const refused = envFile(path).publisher.withdraw();
    await expect(refused).rejects.toMatchObject({ code: 'foreign_value', remedy: expect.stringContaining('TOKEN') });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('theirs') });
    expect(text()).toBe('TOKEN=theirs\n');
  });

  test('F81: of a value that the user replaced removes our metadata and keeps the value', async () => {
    const { publisher } = envFile(path, { metadata: true });
    await publisher.publish(publication('abc', 7));
    writeFileSync(path, text().replace('abc', 'theirs'));
    await expect(publisher.withdraw()).rejects.toMatchObject({ code: 'foreign_value' });
    expect(text()).toBe('TOKEN=theirs\n');
  });

  test('F81: knows its own value after a restart, without having stored it', async () => {
    const state = join(directory, 'state');
    const restarted = () => envFile(path, { lastWritten: createLastWritten(state, 'envFile:x#TOKEN') });
    await restarted().publisher.publish(publication('SECRET-1'));
    for (const name of readdirSync(state)) expect(readFileSync(join(state, name), 'utf8')).not.toContain('SECRET');
    await restarted().publisher.withdraw();
    expect(text()).toBe('');
  });

  test('F81: knows both values when a crash came between its memory and the file', async () => {
    let isCrashing = false;
    const lastWritten = memoryInRam(async () => {
      if (isCrashing) throw new Error('killed');
    });
    const { publisher } = envFile(path, { lastWritten });
    await publisher.publish(publication('old'));
    isCrashing = true;
    await expect(publisher.publish(publication('new'))).rejects.toThrow('killed');
    const afterCrash = text();
    await publisher.withdraw();
    expect([afterCrash, text()]).toEqual(['TOKEN=old\n', '']);
    writeFileSync(path, 'TOKEN=new\n');
    await publisher.withdraw();
    expect(text()).toBe('');
  });
});

describe('F81: a value that the user wrote', () => {
  test('is taken over by the first publication, once, and said', async () => {
    writeFileSync(path, 'TOKEN=theirs\nTOKEN=again\n');
    const { publisher, notices } = envFile(path);
    await publisher.publish(publication('abc'));
    await publisher.publish(publication('def'));
    expect(text()).toBe('TOKEN=def\n');
    expect(notices).toEqual(['value_taken_over TOKEN', 'value_taken_over TOKEN']);
  });

  test('which is the very token is nothing to say', async () => {
    writeFileSync(path, 'TOKEN=abc\n');
    const { publisher, notices } = envFile(path);
    await publisher.publish(publication('abc'));
    expect(notices).toEqual([]);
  });
});

describe('F43: what is no plain file', () => {
  test.each([
    ['a directory', 'not_a_regular_file', (file: string) => mkdirSync(file)],
    ['a FIFO', 'not_a_regular_file', (file: string) => execFileSync('mkfifo', [file])],
    ['a symlink', 'symlink_refused', (file: string) => symlinkSync(otherFile(file), file)],
    ['a hard link', 'hard_link_refused', (file: string) => linkSync(otherFile(file), file)],
  ])('%s is refused: %s', async (_, code, make) => {
    make(path);
    await expect(envFile(path).publisher.publish(publication('abc'))).rejects.toMatchObject({ code });
    expect(readFileSync(otherFile(path), 'utf8')).toBe('A=1\n');
  });

  test('a symlink is followed when asked, and stays one', async () => {
    const other = otherFile(path);
    symlinkSync(other, path);
    await envFile(path, { followSymlink: true }).publisher.publish(publication('abc'));
    expect(readFileSync(other, 'utf8')).toBe('A=1\nTOKEN=abc\n');
    expect(readdirSync(directory).sort()).toEqual(['.env', 'other']);
  });

  test('two paths to one file are written in turn', async () => {
    const other = otherFile(path);
    symlinkSync(other, path);
    const viaLink = envFile(path, { followSymlink: true, variable: 'B' }).publisher;
    const direct = envFile(other, { variable: 'C' }).publisher;
    await Promise.all([viaLink.publish(publication('b')), direct.publish(publication('c'))]);
    expect(text().split('\n').sort()).toEqual(['', 'A=1', 'B=b', 'C=c']);
  });
});

describe('F46: a target directory', () => {
  test('that is missing is named, and the publication recovers when it reappears', async () => {
    const file = join(directory, 'app', '.env');
    const { publisher } = envFile(file);
    await expect(publisher.publish(publication('abc'))).rejects.toMatchObject({ code: 'directory_missing' });
    await expect(publisher.withdraw()).rejects.toMatchObject({ code: 'directory_missing' });
    mkdirSync(join(directory, 'app'));
    await publisher.publish(publication('abc'));
    renameSync(join(directory, 'app'), join(directory, 'away'));
    await expect(publisher.publish(publication('def'))).rejects.toMatchObject({ code: 'directory_missing' });
    renameSync(join(directory, 'away'), join(directory, 'app'));
    await publisher.publish(publication('def'));
    expect(readFileSync(file, 'utf8')).toBe('TOKEN=def\n');
  });

  test.skipIf(noMounts !== null)(
    'that is made read-only is named, and recovers when it is writable again',
    async () => {
      const run = await runInMounts(`mount -t tmpfs none "$D"; ${PUBLISH} one; mount -o remount,ro "$D"; ${PUBLISH} two
      cat "$D/.env"; mount -o remount,rw "$D"; ${PUBLISH} two; cat "$D/.env"`);
      expect(run).toBe('ok\nread_only_filesystem\nTOKEN=one\nok\nTOKEN=two\n');
    },
  );
});

test('F35: after a SIGKILL between temp and rename the file is whole, and the next life removes the temp', async () => {
  writeFileSync(path, 'TOKEN=old\n', { mode: 0o600 });
  const program = await bundleProgram(
    directory,
    `import { writeFileAtomic } from './adapters/atomic-file.ts';
     setInterval(() => undefined, 1000);
     const unchanged = () => { console.log('written'); return new Promise(() => undefined); };
     await writeFileAtomic(process.argv[2], 'TOKEN=SECRET', { modeWhenCreated: 0o600, unchanged });`,
  );
  const { child } = await startProgram(program, [path]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const temps = readdirSync(directory).filter((name) => name.includes('.freshd-'));
  expect(temps.map((name) => modeOf(join(directory, name)) & 0o077)).toEqual([0]);
  expect(text()).toBe('TOKEN=old\n');
  await envFile(path).publisher.publish(publication('new'));
  expect(readdirSync(directory).sort()).toEqual(['.env', 'program.mjs']);
  expect(text()).toBe('TOKEN=new\n');
});

describe('on a file system of its own', () => {
  test('F40: a full disk leaves the old file whole and no temp; with space again it recovers', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const run = await runInMounts(`mount -t tmpfs -o size=64k none "$D"; ${PUBLISH} one
      head -c 1000000 /dev/zero > "$D/filler" 2>/dev/null || true
      ${PUBLISH} two; cat "$D/.env"; ls -A "$D"; rm "$D/filler"; ${PUBLISH} two; cat "$D/.env"`);
    expect(run).toBe('ok\ndisk_full\nTOKEN=one\n.env\nfiller\nok\nTOKEN=two\n');
  });

  test('F42: a bind-mounted file is an error that names the fix; in place, when asked, it is written', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const run = await runInMounts(`mount -t tmpfs none "$D"; echo A=1 > "$D/real"; : > "$D/.env"
      mount --bind "$D/real" "$D/.env"; ${PUBLISH} one remedy; cat "$D/.env"; ls -A "$D"
      ${PUBLISH} one in-place; cat "$D/real"`);
    expect(run).toBe(
      'bind_mounted mount the directory instead of the file, or set "write": "in-place" for it\nA=1\n.env\nreal\nok\nA=1\nTOKEN=one\n',
    );
  });
});

/** Runs a script in mounts of its own, in which `$D` is an empty directory and `PUBLISH VALUE` prints `ok` or a code. */
async function runInMounts(script: string): Promise<string> {
  const program = await bundleProgram(
    directory,
    `import { createRequire } from 'node:module';
     // A package that is CommonJS asks for it, also as a part of the bundle.
     globalThis.require = createRequire(import.meta.url);
     const { createEnvFilePublisher } = await import('./adapters/publish/env-file.ts');
     const [path, accessToken, way] = process.argv.slice(2);
     const publisher = createEnvFilePublisher({
       path, variable: 'TOKEN', metadata: false, followSymlink: false, write: way === 'in-place' ? way : 'atomic',
       fingerprint: (secret) => secret, lastWritten: { load: async () => [], save: async () => undefined },
       onNotice: () => undefined,
     });
     const token = { accessToken, expiry: { kind: 'never' } };
     await publisher.publish({ token, generation: 7 }).then(
       () => console.log('ok'),
       (error) => console.log(way === 'remedy' ? error.code + ' ' + error.remedy : error.code),
     );`,
  );
  const mountPoint = join(directory, 'mounted');
  mkdirSync(mountPoint);
  const run = runInOwnMounts(`D='${mountPoint}'; P='${program}'; N='${process.execPath}'\n${script}`);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  return run.stdout;
}

const PUBLISH = '"$N" "$P" "$D/.env"';

function otherFile(file: string): string {
  const other = join(file, '..', 'other');
  writeFileSync(other, 'A=1\n');
  return other;
}
