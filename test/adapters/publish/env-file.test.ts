import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLastWritten } from '../../../src/adapters/publish/last-written.ts';
import { epochMs } from '../../../src/core/token.ts';
import {
  arrangeEnvFile,
  directory,
  EXPIRES_AT_SECONDS,
  envFile,
  fingerprint,
  memoryInRam,
  path,
  publication,
  text,
} from './parts.ts';

arrangeEnvFile();

const modeOf = (file: string): number => statSync(file).mode & 0o777;

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
        sync: async () => undefined,
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

  test('F81 F36: writes nothing before the disk has what a killed process remembered of it', async () => {
    const lastWritten = memoryInRam();
    await lastWritten.save([fingerprint('TOKEN=new')]);
    const refused = new Error('not on the disk');
    const { publisher } = envFile(path, { lastWritten: { ...lastWritten, sync: () => Promise.reject(refused) } });
    writeFileSync(path, 'TOKEN=old\n');
    await expect(publisher.publish(publication('new'))).rejects.toThrow(refused);
    expect(text()).toBe('TOKEN=old\n');
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
