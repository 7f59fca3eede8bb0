/**
 * What the daemon says of a refusal: a grant that it lost itself is called a lost response, never plainly refused (F78).
 */
import type { RefreshToken } from '../servers/grants.ts';
import type { World } from '../world.ts';
import { isForgotten } from './records.ts';

export function watchReports(world: World): void {
  /** The last token that was refused for good, by credential. */
  const refused = new Map<string, RefreshToken | null>();
  const reasons = new Map<string, string | null>();

  world.on.request.push((server, { refreshToken, by }, { answer }) => {
    if (by !== 'freshd') return;
    refused.set(server.name, answer.body.includes('"invalid_grant"') ? server.grants.findRefresh(refreshToken) : null);
  });

  world.on.step.push((credential, { phase }) => {
    const reason = phase.kind === 'reauthorization_required' ? phase.reason : null;
    if (reason === reasons.get(credential)) return;
    reasons.set(credential, reason);
    const token = refused.get(credential) ?? null;
    if (reason !== 'terminal' || token === null || world.plan(credential).method === 'tool') return;
    const cause = token.family.revoked?.cause;
    const isOwnLoss =
      token.spent?.by === 'freshd' && cause?.kind === 'reuse' && cause.by === 'freshd' && cause.token === token;
    if (isOwnLoss && !isForgotten(world, credential, token))
      world.fail('F78', `${credential}: its own lost answer is reported as ${reason}`);
  });
}
