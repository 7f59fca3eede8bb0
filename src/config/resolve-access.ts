/**
 * Who may read a credential, from its written form to its resolved one.
 *
 * Rule: pure but for the problems it reports.
 */
import type { AllowConfig } from './config.ts';
import { type At, type Resolver, report, resolveFile } from './resolver.ts';
import type { RawCredential } from './schema.ts';

/** @returns null when everybody who may connect may read it */
export function resolveAllow(resolver: Resolver, at: At, { allow, tokenFile }: RawCredential): AllowConfig | null {
  if (allow === undefined) return null;
  const here: At = [...at, 'allow'];
  const { uids = null, gids = null, executables = null } = allow;
  for (const [key, named] of Object.entries({ uids, gids, executables })) {
    if (named === null || named.length > 0) continue;
    report(resolver, [...here, key], { expected: 'at least one', seen: 'none', remedy: 'name one, or leave it out' });
  }
  if (uids === null && gids === null && executables === null) {
    report(resolver, here, {
      expected: '"uids", "gids" or "executables"',
      seen: 'none of them',
      remedy: 'name who may read, or leave "allow" out',
    });
  }
  if (tokenFile === true) {
    report(resolver, [...at, 'tokenFile'], {
      expected: 'false beside "allow"',
      seen: 'true',
      remedy: 'leave it out: a file asks nobody who they are',
    });
  }
  const places = executables?.map((path, index) => resolveFile(resolver, [...here, 'executables', index], path));
  return { uids, gids, executables: places ?? null };
}
