import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../src/adapters/metrics.ts';
import type { MetricsPort, Sample } from '../../src/daemon/ports-metrics.ts';

const KNOWN = new Set(['mail', 'key']);

async function linesOf(
  metrics: MetricsPort,
  samples: readonly Sample[] = [],
  known = KNOWN,
): Promise<readonly string[]> {
  const { text } = await metrics.expose(samples, known);
  return text.split('\n').filter((line) => line.startsWith('freshd_'));
}

describe('the metrics', () => {
  test('keep what was counted before the first look, and count on', async () => {
    const metrics = createMetrics();
    metrics.count('active_recoveries_total', { credential: 'mail' });
    metrics.observe('token_headroom_seconds', { credential: 'mail' }, 5);
    expect(await linesOf(metrics)).toContain('freshd_active_recoveries_total{credential="mail"} 1');
    metrics.count('active_recoveries_total', { credential: 'mail' });
    const lines = await linesOf(metrics);
    expect(lines).toContain('freshd_active_recoveries_total{credential="mail"} 2');
    expect(lines).toContain('freshd_token_headroom_seconds_bucket{le="10",credential="mail"} 1');
    expect(lines).toContain('freshd_token_headroom_seconds_bucket{le="1",credential="mail"} 0');
  });

  test('hold no more than so much before somebody looks', async () => {
    const metrics = createMetrics();
    for (let n = 0; n < 5_000; n += 1) metrics.count('active_recoveries_total', { credential: 'mail' });
    expect(await linesOf(metrics)).toContain('freshd_active_recoveries_total{credential="mail"} 5000');
  });

  test('say what the samples say, and nothing of an earlier time', async () => {
    const metrics = createMetrics();
    const expiry = (value: number): Sample => ({
      name: 'token_expiry_timestamp_seconds',
      labels: { credential: 'mail' },
      value,
    });
    const reads = (value: number): Sample => ({ name: 'reads_total', labels: { credential: 'mail' }, value });
    expect(await linesOf(metrics, [expiry(10), reads(3)])).toEqual(
      expect.arrayContaining([
        'freshd_token_expiry_timestamp_seconds{credential="mail"} 10',
        'freshd_reads_total{credential="mail"} 3',
      ]),
    );
    const later = await linesOf(metrics, [reads(4)]);
    expect(later).toContain('freshd_reads_total{credential="mail"} 4');
    expect(later.filter((line) => line.includes('expiry_timestamp'))).toEqual([]);
  });

  test('forget what was counted of a credential that is gone, and nothing else', async () => {
    const metrics = createMetrics();
    for (const credential of KNOWN) {
      metrics.count('refresh_failures_total', { credential, class: 'transient', code: 'timeout' });
      metrics.observe('refresh_duration_seconds', { credential, outcome: 'failure' }, 1);
    }
    metrics.observe('alarm_lag_seconds', {}, 0.002);
    await linesOf(metrics);
    const lines = await linesOf(metrics, [], new Set(['key']));
    expect(lines.filter((line) => line.includes('"mail"'))).toEqual([]);
    expect(lines).toContain('freshd_refresh_failures_total{credential="key",class="transient",code="timeout"} 1');
    expect(lines).toContain('freshd_refresh_duration_seconds_count{credential="key",outcome="failure"} 1');
    expect(lines).toContain('freshd_alarm_lag_seconds_count 1');
  });
});
