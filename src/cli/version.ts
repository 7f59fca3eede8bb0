/**
 * The version of this command line, and what to say when the daemon runs another.
 *
 * Rule: an older daemon is no error: it keeps the tokens fresh as before, until somebody restarts it.
 */
import { readFileSync } from 'node:fs';

/** Of the package that this file is in: `src/cli` and `dist/cli` are equally far from it. */
export function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** @returns one line for people; null where both are the same */
export function versionSkew(daemonVersion: string, own: string): string | null {
  if (daemonVersion === own) return null;
  return `the daemon is version ${daemonVersion}, this command ${own}: restart the daemon to have one version (freshd service status says how it was started)`;
}
