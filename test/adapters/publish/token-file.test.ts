import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createTokenFilePublisher } from '../../../src/adapters/publish/token-file.ts';
import type { PublisherPort } from '../../../src/daemon/ports.ts';
import { publication, temporaryDirectory } from './parts.ts';

let path: string;
let publisher: PublisherPort;

beforeEach(async () => {
  path = join(await temporaryDirectory(), 'tokens', 'mail');
  publisher = createTokenFilePublisher({ path });
});

const modeOf = (file: string): number => statSync(file).mode & 0o777;

describe('a token file', () => {
  test('holds only the token, in a directory of its own, for its owner only', async () => {
    await publisher.publish(publication('abc'));
    expect(readFileSync(path, 'utf8')).toBe('abc');
    expect([modeOf(path), modeOf(dirname(path))]).toEqual([0o600, 0o700]);
    expect(readdirSync(dirname(path))).toEqual(['mail']);
  });

  test('gives the token to cat, to a command substitution and to curl as it is', async () => {
    await publisher.publish(publication('a/b+c=='));
    expect(execFileSync('cat', [path], { encoding: 'utf8' })).toBe('a/b+c==');
    expect(execFileSync('sh', ['-c', 'printf %s "$(cat "$1")"', '_', path], { encoding: 'utf8' })).toBe('a/b+c==');
  });

  test('is not written again when it holds the token already', async () => {
    await publisher.publish(publication('abc'));
    utimesSync(path, 1, 1);
    await publisher.publish(publication('abc', 8));
    expect(statSync(path).mtimeMs).toBe(1000);
  });

  test.each(['abc', 'def'])('that somebody opened to others is closed again when %s is published', async (next) => {
    await publisher.publish(publication('abc'));
    chmodSync(path, 0o644);
    await publisher.publish(publication(next));
    expect([modeOf(path), readFileSync(path, 'utf8')]).toEqual([0o600, next]);
  });

  test('F46: comes back after its directory was cleaned away', async () => {
    await publisher.publish(publication('abc'));
    rmSync(dirname(path), { recursive: true });
    await publisher.withdraw();
    await publisher.publish(publication('abc'));
    expect(readFileSync(path, 'utf8')).toBe('abc');
  });

  test('is removed by a withdrawal, which can be repeated', async () => {
    await publisher.publish(publication('abc'));
    await publisher.withdraw();
    await publisher.withdraw();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('F43: is not written through a symlink, nor over a directory', async () => {
    const other = join(dirname(dirname(path)), 'other');
    writeFileSync(other, 'theirs', { mode: 0o644 });
    mkdirSync(dirname(path));
    symlinkSync(other, path);
    await expect(publisher.publish(publication('abc'))).rejects.toMatchObject({ code: 'symlink_refused' });
    expect([readFileSync(other, 'utf8'), modeOf(other)]).toEqual(['theirs', 0o644]);
    rmSync(path);
    mkdirSync(path);
    await expect(publisher.publish(publication('abc'))).rejects.toMatchObject({ code: 'not_a_regular_file' });
    await expect(publisher.withdraw()).rejects.toMatchObject({ name: 'PortError' });
  });

  test('F35: what a killed writer left beside it is removed by the first publication', async () => {
    mkdirSync(dirname(path));
    // Named like a temp of ours; no pid is that high.
    writeFileSync(join(dirname(path), '.mail.freshd-4194305-0123456789ab'), 'SECRET');
    await publisher.publish(publication('abc'));
    expect(readdirSync(dirname(path))).toEqual(['mail']);
  });
});
