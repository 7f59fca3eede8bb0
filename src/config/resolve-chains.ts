/**
 * The chains from their written form to their resolved one: whom they consist of, and whose publications follow which chain.
 *
 * Rule: pure but for the problems it reports.
 */
import { nearest } from './complaint.ts';
import type { ChainConfig, CredentialConfig } from './config.ts';
import { resolveLimit } from './resolve-policy.ts';
import { type At, type Resolver, report } from './resolver.ts';
import type { RawConfig } from './schema.ts';

/** @returns the chains, and the credentials with the chain that each one's publications follow */
export function resolveChains(
  resolver: Resolver,
  raw: RawConfig,
  credentials: readonly CredentialConfig[],
): { readonly chains: readonly ChainConfig[]; readonly credentials: readonly CredentialConfig[] } {
  const byName = new Map(credentials.map((credential) => [credential.name, credential]));
  const followed = new Map<string, string>();
  const chains = Object.entries(raw.chains ?? {}).map(([name, written]): ChainConfig => {
    checkName(resolver, name, raw);
    const members = written.flatMap((member, position) => {
      const at: At = ['chains', name, position];
      const isSound = checkMember(resolver, at, { member, earlier: written.slice(0, position), raw });
      const credential = byName.get(member);
      if (!isSound || credential === undefined) return [];
      if (credential.publish.length > 0) follow(resolver, at, { member, chain: name, followed });
      return [{ credential: member, settleMs: settleMsOf(credential, raw) }];
    });
    return { name, members };
  });
  return {
    chains,
    credentials: credentials.map((credential) => ({ ...credential, follows: followed.get(credential.name) ?? null })),
  };
}

function checkName(resolver: Resolver, name: string, { credentials }: RawConfig): void {
  if (!Object.hasOwn(credentials, name)) return;
  report(resolver, ['chains', name], {
    expected: 'a name that no credential has',
    seen: `that of credentials.${name}`,
    remedy: 'rename one of them: readers ask for both in the same way',
  });
}

function checkMember(
  resolver: Resolver,
  at: At,
  { member, earlier, raw }: { readonly member: string; readonly earlier: readonly string[]; readonly raw: RawConfig },
): boolean {
  const seen = JSON.stringify(member);
  if (!Object.hasOwn(raw.credentials, member)) {
    const near = nearest(member, Object.keys(raw.credentials));
    const remedy = near === null ? 'name one of "credentials"' : `did you mean ${JSON.stringify(near)}?`;
    report(resolver, at, { expected: 'the name of a credential', seen, remedy });
    return false;
  }
  if (!earlier.includes(member)) return true;
  report(resolver, at, { expected: 'each credential once', seen: `${seen} again`, remedy: 'remove it here' });
  return false;
}

/** What a credential publishes stands while it is in use; two chains could not agree on that. */
function follow(
  resolver: Resolver,
  at: At,
  {
    member,
    chain,
    followed,
  }: { readonly member: string; readonly chain: string; readonly followed: Map<string, string> },
): void {
  const other = followed.get(member);
  if (other === undefined) {
    followed.set(member, chain);
    return;
  }
  report(resolver, at, {
    expected: 'a credential that publishes nothing, or is in no other chain',
    seen: `${JSON.stringify(member)}, whose publications follow chains.${other}`,
    remedy: 'leave it in one chain, or let another credential publish',
  });
}

function settleMsOf({ name, store }: CredentialConfig, raw: RawConfig): number {
  const own = raw.credentials[name] ?? {};
  return resolveLimit('chainSettleSeconds', { format: store.format, own, defaults: raw.defaults ?? {} });
}
