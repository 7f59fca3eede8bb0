/**
 * A configuration in a folder of its own, and the surroundings it is loaded in.
 */
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { type LoadResult, loadConfig } from '../../src/config/load.ts';
import type { Capture } from '../../src/config/paths.ts';

/** Removed when the test is over; only this user may write it, as a configuration's folder has to be. */
export function privateFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'freshd-config-')));
  chmodSync(folder, 0o700);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const captureIn = (folder: string, env: Capture['env'] = {}): Capture => ({
  env,
  home: join(folder, 'home'),
  cwd: folder,
  platform: 'linux',
  uid: process.geteuid?.() ?? null,
  machineId: 'a-machine',
});

export interface Arranged {
  readonly folder?: string;
  readonly env?: Capture['env'];
  readonly socket?: string;
}

/** Writes `content` (an object as JSON, a string as it is) as config.json and loads it. */
export async function load(content: unknown, arranged: Arranged = {}): Promise<LoadResult> {
  const folder = arranged.folder ?? privateFolder();
  const path = join(folder, 'config.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
  return loadConfig({ path, socket: arranged.socket, capture: captureIn(folder, arranged.env) });
}

/** As `load`, for a configuration that must be sound. */
export async function loaded(content: unknown, arranged: Arranged = {}): Promise<Config> {
  const result = await load(content, arranged);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.config;
}

/** As `load`, for a configuration that must be refused. */
export async function problemsOf(content: unknown, arranged: Arranged = {}): Promise<readonly string[]> {
  const result = await load(content, arranged);
  return result.ok ? [] : result.problems;
}

/** Codes of the advice for a sound configuration. */
export async function adviceOn(content: unknown, arranged: Arranged = {}): Promise<readonly string[]> {
  const result = await load(content, arranged);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.advice.map((advice) => advice.code);
}

/** A sound credential, to vary one thing at a time. */
export const MAIL = {
  store: { format: 'token-response', path: 'mail.json' },
  refresh: { command: ['/bin/true'], input: 'token' },
} as const;

export const LOG_ALERTS = { sinks: [{ type: 'log' }] } as const;

export const fromEnv = (name: string): string => `\${env:${name}}`;
export const fromFile = (path: string): string => `\${file:${path}}`;
