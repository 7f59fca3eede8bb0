import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createSentinel, type Sentinel } from '../../../src/adapters/publish/sentinel.ts';
import { epochMs } from '../../../src/core/token.ts';
import { temporaryDirectory } from './parts.ts';

let directory: string;
let sentinel: Sentinel;

beforeEach(async () => {
  directory = join(await temporaryDirectory(), 'run', 'down');
  sentinel = createSentinel(directory);
});

const DOWN = {
  since: epochMs(Date.UTC(2026, 10, 22, 14, 39)),
  reason: 'reauthorization_required',
  code: 'invalid_grant',
  remedy: 'run: claude /login',
};

describe('C4: the sentinel', () => {
  test('says what is down, since when, why, and what helps', async () => {
    await sentinel.set('claude', DOWN);
    expect(JSON.parse(readFileSync(join(directory, 'claude'), 'utf8'))).toEqual({
      credential: 'claude',
      since: '2026-11-22T14:39:00.000Z',
      reason: 'reauthorization_required',
      code: 'invalid_grant',
      remedy: 'run: claude /login',
    });
    expect(readdirSync(directory)).toEqual(['claude']);
  });

  test('goes when the credential is usable again, and is no error when it was never there', async () => {
    await sentinel.set('claude', null);
    await sentinel.set('claude', DOWN);
    await sentinel.set('mail', DOWN);
    await sentinel.set('claude', null);
    expect(readdirSync(directory)).toEqual(['mail']);
  });

  test('tells the newest reason', async () => {
    await sentinel.set('claude', DOWN);
    await sentinel.set('claude', { ...DOWN, code: 'store_blanked' });
    expect(JSON.parse(readFileSync(join(directory, 'claude'), 'utf8'))).toMatchObject({ code: 'store_blanked' });
  });

  test('of a credential that is no longer configured is swept, with stale temps; others stay', async () => {
    await sentinel.sweep(['mail']);
    for (const name of ['claude', 'mail']) await sentinel.set(name, DOWN);
    writeFileSync(join(directory, '.claude.freshd-4194305-0123456789ab'), '{}');
    await sentinel.sweep(['mail', 'key']);
    expect(readdirSync(directory)).toEqual(['mail']);
  });

  test('that an earlier life left is removed when its credential is usable, and one that comes after the sweep too', async () => {
    await sentinel.set('claude', DOWN);
    const next = createSentinel(directory);
    await next.sweep(['claude', 'mail']);
    await next.set('mail', null);
    await next.set('mail', DOWN);
    await next.set('claude', null);
    expect(readdirSync(directory)).toEqual(['mail']);
    await next.set('mail', null);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('that cannot be written says why', async () => {
    mkdirSync(join(directory, 'claude'), { recursive: true });
    await expect(sentinel.set('claude', DOWN)).rejects.toMatchObject({ code: 'not_a_regular_file' });
    await expect(sentinel.set('claude', null)).rejects.toMatchObject({ name: 'PortError' });
  });
});
