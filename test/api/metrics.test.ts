import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/adapters/metrics.ts';
import { arrange } from './arrange.ts';
import { HOUR_MS, START_MS } from './fake-daemon.ts';

async function arrangeMetrics() {
  const arranged = await arrange({ metrics: createMetrics() });
  const { daemon, get } = arranged;
  daemon.load('mail', 'mt-1', HOUR_MS);
  daemon.load('key', 'kt-1', HOUR_MS);
  const lines = async () => {
    const { status, text } = await get('/metrics');
    expect(status).toBe(200);
    return text.split('\n').filter((line) => line.startsWith('freshd_'));
  };
  return { ...arranged, lines };
}

describe('GET /metrics', () => {
  test('tells phase, expiry, next wake-up and what is skipped, of each credential as it is now', async () => {
    const { daemon, lines } = await arrangeMetrics();
    const before = await lines();
    expect(before).toContain('freshd_phase{credential="mail",phase="fresh"} 1');
    expect(before).toContain('freshd_phase{credential="mail",phase="refreshing"} 0');
    expect(before).toContain(`freshd_token_expiry_timestamp_seconds{credential="mail"} ${(START_MS + HOUR_MS) / 1000}`);
    expect(before.some((line) => line.startsWith('freshd_next_wakeup_timestamp_seconds{credential="mail"}'))).toBe(
      true,
    );
    expect(before).toContain('freshd_skipped_credentials 0');
    daemon.add('none');
    daemon.load('none', null);
    expect(await lines()).toContain('freshd_skipped_credentials 1');
  });

  test('C2: says which member of a chain is in use', async () => {
    const { daemon, lines } = await arrangeMetrics();
    await daemon.addChain('both', 'mail', 'key');
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'freshd_active_member{chain="both",credential="mail"} 1',
        'freshd_active_member{chain="both",credential="key"} 0',
      ]),
    );
  });

  test('counts the reads that brought a token, by whatever way, under the name that was asked for', async () => {
    const { daemon, get, lines } = await arrangeMetrics();
    await daemon.addChain('both', 'mail', 'key');
    daemon.add('none');
    daemon.load('none', null);
    await get('/v1/tokens/mail');
    await get('/v1/tokens/mail?min_valid_seconds=1&consumer=a');
    await get('/v1/tokens/both', 'text/plain');
    await get('/v1/tokens/none');
    await get('/v1/tokens/nobody');
    const reads = (await lines()).filter((line) => line.startsWith('freshd_reads_total'));
    expect(reads.toSorted()).toEqual([
      'freshd_reads_total{credential="both"} 1',
      'freshd_reads_total{credential="key"} 0',
      'freshd_reads_total{credential="mail"} 2',
      'freshd_reads_total{credential="none"} 0',
    ]);
    expect(await lines()).toContain('freshd_consumers{credential="mail"} 1');
  });

  test('says nothing more of a credential that was taken out', async () => {
    const { daemon, get, lines } = await arrangeMetrics();
    await get('/v1/tokens/mail');
    expect((await lines()).join('\n')).toContain('"mail"');
    daemon.remove('mail');
    expect((await lines()).join('\n')).not.toContain('"mail"');
  });

  test('is not found where nobody keeps figures', async () => {
    const { get } = await arrange();
    expect((await get('/metrics')).status).toBe(404);
  });
});
