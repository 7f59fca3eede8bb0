/** Where the env file lies, and on what: links, missing directories, mounts, full disks, and a writer that was killed. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bundleProgram, runInOwnMounts, startProgram, whyNoOwnMounts } from '../child-program.ts';
import { arrangeEnvFile, directory, envFile, path, publication, text } from './parts.ts';

arrangeEnvFile();

const modeOf = (file: string): number => statSync(file).mode & 0o777;
const noMounts = whyNoOwnMounts();

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

  test('that is made read-only is named, and recovers when it is writable again', async (ctx) => {
    if (noMounts !== null) return ctx.skip(noMounts);
    const run = await runInMounts(`mount -t tmpfs none "$D"; ${PUBLISH} one; mount -o remount,ro "$D"; ${PUBLISH} two
    cat "$D/.env"; mount -o remount,rw "$D"; ${PUBLISH} two; cat "$D/.env"`);
    expect(run).toBe('ok\nread_only_filesystem\nTOKEN=one\nok\nTOKEN=two\n');
  });
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
    `import { createEnvFilePublisher } from './adapters/publish/env-file.ts';
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
