import { describe, expect, test } from 'vitest';
import { NoAnswer } from '../../../src/adapters/oauth/no-answer.ts';
import { type Environment, proxyFor } from '../../../src/adapters/oauth/proxy.ts';

const hostFor = (target: string, environment: Environment): string | null =>
  proxyFor(new URL(target), environment)?.host ?? null;

describe('the proxy of a host', () => {
  test.each<[string, Environment, string | null]>([
    ['none', {}, null],
    ['an empty variable', { https_proxy: ' ' }, null],
    ['lower case first', { https_proxy: 'http://low', HTTPS_PROXY: 'http://up' }, 'low'],
    ['upper case', { HTTPS_PROXY: 'http://up:3128' }, 'up'],
    ['for everything', { ALL_PROXY: 'http://all' }, 'all'],
    ['without a scheme', { https_proxy: 'bare:3128' }, 'bare'],
    ['an IPv6 address', { https_proxy: 'http://[::1]:3128' }, '::1'],
  ])('%s', (_name, environment, expected) => {
    expect(hostFor('https://login.example/token', environment)).toBe(expected);
  });

  test.each([
    ['*', true],
    ['login.example', true],
    ['.example', true],
    ['example', true],
    ['other.org, EXAMPLE:443', true],
    ['example:8443', false],
    ['ogin.example', false],
    ['login.example.org', false],
    ['', false],
  ])('no_proxy=%s covers login.example: %s', (no_proxy, isExempt) => {
    const environment = { https_proxy: 'http://proxy', no_proxy };
    expect(hostFor('https://login.example/token', environment)).toBe(isExempt ? null : 'proxy');
  });

  test('of this machine is none', () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]', 'a.localhost']) {
      expect(hostFor(`https://${host}/`, { https_proxy: 'http://proxy' })).toBeNull();
    }
  });

  test('of another kind is refused without repeating its password', () => {
    const find = () => proxyFor(new URL('https://a.example'), { all_proxy: 'socks5://me:hunter2@proxy' });
    expect(find).toThrow(NoAnswer);
    expect(find).toThrow('all_proxy: expected an http:// or https:// address, got a socks5:// address');
  });
});
