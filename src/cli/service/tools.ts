/**
 * The tools that refresh their own logins, looked for where the installed service will.
 *
 * Rule: looks, and starts nothing. Services do not have a login's PATH, which is the commonest reason why a script works by hand
 * and fails there.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';

/**
 * @param files units or property lists of the installed service
 * @returns the tools of this configuration that the service does not find
 */
export function toolsNotFound(config: Config, files: readonly string[]): readonly string[] {
  const folders = servicePathOf(files).split(':');
  return toolsOf(config).filter((tool) => !folders.some((folder) => isExecutable(join(folder, tool))));
}

const toolsOf = ({ credentials }: Config): readonly string[] => [
  ...new Set(
    credentials.flatMap(({ store, refresh }) => (refresh?.kind === 'command' ? (TOOLS[store.format] ?? []) : [])),
  ),
];

/** A file without a PATH leaves that of the manager. */
function servicePathOf(files: readonly string[]): string {
  for (const text of files.map(textAt)) {
    const found = /^Environment="?PATH=([^"\n]*)/m.exec(text) ?? /<key>PATH<\/key>\s*<string>([^<]*)</.exec(text);
    if (found?.[1] !== undefined) return found[1];
  }
  return MANAGER_PATH;
}

/** Empty where there is none: an installation that somebody took apart by hand. */
function textAt(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

/** By the format of the store. */
const TOOLS: Readonly<Record<string, string>> = { 'claude-code': 'claude', codex: 'codex', gemini: 'gemini' };

// As systemd is built on most systems.
const MANAGER_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
