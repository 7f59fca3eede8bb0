import { expect, test } from 'vitest';
import { consumersText } from '../../src/cli/consumers.ts';
import { START_MS } from '../api/fake-daemon.ts';
import { subscribe } from '../api/subscriber.ts';
import { arrangeCli } from './arrange.ts';

const GENERATION = START_MS / 1000 + 1;

test.each([
  [{ total: 0, behind: 0, behind_on: [] }, 'none known'],
  [{ total: 1, behind: 0, behind_on: [] }, '1, up to date'],
  [{ total: 5, behind: 0, behind_on: [] }, '5, all up to date'],
  [{ total: 5, behind: 3, behind_on: [{ generation: 41, consumers: 3 }] }, '3 of 5 consumers still on generation 41'],
  [{ total: 1, behind: 1, behind_on: [{ generation: 41, consumers: 1 }] }, '1 of 1 consumer still on generation 41'],
  [
    {
      total: 5,
      behind: 3,
      behind_on: [
        { generation: null, consumers: 1 },
        { generation: 41, consumers: 2 },
      ],
    },
    '1 of 5 consumers still without any generation, 2 on generation 41',
  ],
])('consumers in words: %j', (consumers, words) => {
  expect(consumersText(consumers)).toBe(words);
});

test('freshd status says which consumers still have an older generation', async () => {
  const arranged = await arrangeCli();
  const { daemon, get, run, socketPath } = arranged;
  daemon.load('claude', 'at-1');
  const subscriber = await (await subscribe(socketPath, { query: '?consumer=mailer' })).synchronized();
  await get(`/v1/tokens/claude?after_generation=${GENERATION}&consumer=mailer`);
  expect((await run('status')).stdout).not.toContain('consumer');
  expect((await run('status', 'claude')).stdout).toMatch(/^consumers +1, up to date$/m);

  daemon.advance(60_000);
  daemon.dispatch('claude', { type: 'rejection_reported', generation: GENERATION, peer: 'a' });
  daemon.succeed('claude', 'at-2');
  await subscriber.until(({ data }) => data.access_token === 'at-2');
  const line = `1 of 1 consumer still on generation ${GENERATION}`;
  expect((await run('status')).stdout).toContain(`claude: ${line}\n`);
  const { stdout } = await run('status', 'claude');
  expect(stdout).toMatch(new RegExp(`^consumers +${line}$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^behind +mailer: has ${GENERATION}, was sent ${GENERATION + 1}$`, 'm'));
  expect((await run('status', '--check')).exitCode).toBe(0);
});

test('freshd status names those who read by the name of a chain, too', async () => {
  const arranged = await arrangeCli();
  const { daemon, get, run } = arranged;
  daemon.load('claude', 'at-1');
  await daemon.addChain('any', 'claude');
  daemon.advance(1);
  const generation = () => daemon.chains.state('any')?.generation ?? 0;
  const first = generation();
  await get('/v1/tokens/any?consumer=mailer');
  expect((await run('status', 'any')).stdout).toMatch(/^consumers +1, up to date$/m);
  daemon.advance(60_000);
  daemon.dispatch('claude', { type: 'rejection_reported', generation: GENERATION, peer: 'a' });
  daemon.succeed('claude', 'at-2');
  const line = `1 of 1 consumer still on generation ${first}`;
  expect(generation()).toBeGreaterThan(first);
  expect((await run('status')).stdout).toContain(`any: ${line}\n`);
  expect((await run('status', 'any')).stdout).toMatch(new RegExp(`^behind +mailer: ${first}$`, 'm'));
});
