/** Where each tool keeps its login, as the tools themselves would look for it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Capture } from '../../src/config/paths.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { captureIn, loaded, privateFolder, problemsOf } from './arrange.ts';

const FOLLOW = { refresh: { follow: true } } as const;

describe('a store without a path', () => {
  it.each([
    ['claude-code', '.claude/.credentials.json', 'CLAUDE_CONFIG_DIR', '.credentials.json'],
    ['codex', '.codex/auth.json', 'CODEX_HOME', 'auth.json'],
    ['gemini', '.gemini/oauth_creds.json', 'GEMINI_CLI_HOME', '.gemini/oauth_creds.json'],
    ['opencode', '.local/share/opencode/auth.json', 'XDG_DATA_HOME', 'opencode/auth.json'],
    [
      'openclaw',
      '.openclaw/agents/main/agent/auth-profiles.json',
      'OPENCLAW_STATE_DIR',
      'agents/main/agent/auth-profiles.json',
    ],
    ['hermes', '.hermes/auth.json', 'HERMES_HOME', 'auth.json'],
    ['grok', '.grok/auth.json', null, null],
    [
      'google-adc',
      '.config/gcloud/application_default_credentials.json',
      'CLOUDSDK_CONFIG',
      'application_default_credentials.json',
    ],
  ])('%s lies where its tool keeps it', async (format, usual, variable, own) => {
    const folder = privateFolder();
    const config = { credentials: { a: { store: { format }, ...FOLLOW } } };
    expect(await pathIn(config, { folder })).toBe(join(folder, 'home', usual));
    if (variable === null || own === null) return;
    expect(await pathIn(config, { folder, env: { [variable]: '/elsewhere' } })).toBe(join('/elsewhere', own));
    expect(await pathIn(config, { folder, env: { [variable]: '' } })).toBe(join(folder, 'home', usual));
    const named = { credentials: { a: { store: { format, path: './mine.json' }, ...FOLLOW } } };
    expect(await pathIn(named, { folder, env: { [variable]: '/elsewhere' } })).toBe(join(folder, 'mine.json'));
  });

  it('opencode ignores an XDG_DATA_HOME that is not absolute, as the XDG rules say', async () => {
    const folder = privateFolder();
    const config = { credentials: { a: { store: { format: 'opencode' }, ...FOLLOW } } };
    const path = await pathIn(config, { folder, env: { XDG_DATA_HOME: 'relative' } });
    expect(path).toBe(join(folder, 'home/.local/share/opencode/auth.json'));
  });

  it('claude-code is the Keychain on macOS, which no script writes for us', () => {
    const resolve = (store: object, refresh: object) =>
      resolveConfig({ credentials: { a: { store, refresh } } } as never, {
        path: '/etc/freshd/config.json',
        socket: undefined,
        capture: { ...captureIn('/nowhere'), platform: 'darwin' } satisfies Capture,
        files: new Map(),
      });
    const found = resolve({ format: 'claude-code' }, { command: ['claude'] });
    expect(found.problems).toEqual([]);
    expect(found.config.credentials[0]).toMatchObject({ store: { path: null }, refresh: { result: 'store' } });
    const refused = resolve({ format: 'claude-code' }, { command: ['claude'], result: 'stdout' });
    expect(refused.problems).toEqual([expect.stringContaining('"store" for the format claude-code in the Keychain')]);
    const file = resolve({ format: 'claude-code', path: '/a/.credentials.json' }, { follow: true });
    expect(file.config.credentials[0]?.store).toMatchObject({ path: '/a/.credentials.json' });
  });
});

describe('entry', () => {
  const openclaw = (entry: string | undefined, path?: string) => ({
    credentials: { a: { store: { format: 'openclaw', path }, entry, ...FOLLOW } },
  });

  it.each([
    ['work/anthropic:default', 'work', 'anthropic:default'],
    ['anthropic:default', 'main', 'anthropic:default'],
    [undefined, 'main', null],
    ['work/', 'work', null],
  ])('of openclaw is agent and profile: %s', async (entry, agent, profile) => {
    const folder = privateFolder();
    const config = await loaded(openclaw(entry), { folder });
    const path = join(folder, 'home/.openclaw/agents', agent, 'agent/auth-profiles.json');
    expect(config.credentials[0]?.store).toEqual({ format: 'openclaw', path, entry: profile });
  });

  it('of openclaw is the profile where the path is given', async () => {
    const config = await loaded(openclaw('odd/name', '/x.json'));
    expect(config.credentials[0]?.store).toEqual({ format: 'openclaw', path: '/x.json', entry: 'odd/name' });
  });

  it('of hermes is xai-oauth unless another is named', async () => {
    const config = await loaded({ credentials: { a: { store: { format: 'hermes' }, ...FOLLOW } } });
    expect(config.credentials[0]?.store).toMatchObject({ entry: 'xai-oauth' });
  });

  it('is refused beside a store with only one login', async () => {
    const problems = await problemsOf({ credentials: { a: { store: { format: 'codex' }, entry: 'x', ...FOLLOW } } });
    expect(problems).toEqual([expect.stringContaining('credentials.a.entry: expected nothing beside this store')]);
  });

  it('F75: two logins of one file are two stores, the same login twice is an error', async () => {
    const store = { format: 'opencode' };
    const two = (second: string | undefined) => ({
      credentials: { a: { store, entry: 'one', ...FOLLOW }, b: { store, entry: second, ...FOLLOW } },
    });
    expect(await problemsOf(two('two'))).toEqual([]);
    expect(await problemsOf(two('one'))).toEqual([
      expect.stringMatching(/credentials\.b\.store.*credentials\.a\.store/),
    ]);
    // Without a name it is the only one, which here it cannot be.
    expect(await problemsOf(two(undefined))).toHaveLength(1);
  });
});

describe('a store that a command prints', () => {
  const store = { format: 'command', command: ['./print-token', 'x'] };

  it('is an argument vector from the folder of the configuration', async () => {
    const folder = privateFolder();
    const config = await loaded({ credentials: { a: { store, ...FOLLOW } } }, { folder });
    expect(config.credentials[0]).toMatchObject({
      store: { format: 'command', argv: [join(folder, 'print-token'), 'x'], cwd: folder },
      policy: { method: 'follow', rotates: false, mintsWithoutGrant: false },
    });
  });

  it('has no path, and cannot be what a refresh is written to', async () => {
    expect(await problemsOf({ credentials: { a: { store: { ...store, path: 'x' }, ...FOLLOW } } })).toHaveLength(1);
    const oauth = { tokenEndpoint: 'https://localhost/token', clientId: 'x' };
    const problems = await problemsOf({ credentials: { a: { store, refresh: { oauth } } } });
    expect(problems).toEqual([expect.stringContaining('expected a store that freshd can write')]);
  });
});

describe('what the format decides', () => {
  it.each([
    ['claude-code', 'store', 270_000, true],
    ['codex', 'store', 270_000, true],
    ['gemini', 'store', 270_000, false],
    ['grok', 'store', 270_000, true],
    ['opencode', 'stdout', 1_800_000, true],
    ['openclaw', 'stdout', 1_800_000, true],
    ['hermes', 'stdout', 1_800_000, true],
    ['google-adc', 'stdout', 1_800_000, false],
  ])('F66: %s: result, margin and rotation', async (format, result, refreshMarginMs, rotates) => {
    const config = await loaded({ credentials: { a: { store: { format }, refresh: { command: ['/bin/true'] } } } });
    expect(config.credentials[0]).toMatchObject({
      refresh: { result },
      policy: { refreshMarginMs, rotates, mintsWithoutGrant: false },
    });
  });
});

async function pathIn(config: object, arranged: Parameters<typeof loaded>[1]): Promise<unknown> {
  const { store } = (await loaded(config, arranged)).credentials[0] ?? {};
  return store !== undefined && 'path' in store ? store.path : undefined;
}
