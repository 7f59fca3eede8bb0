/**
 * Who reads a credential or a chain, in words.
 *
 * Rule: pure; the numbers are the daemon's.
 */
import type { ChainDetailBody, ConsumersBody, CredentialDetailBody } from '../api/protocol.ts';

/** `3 of 5 consumers still on generation 41`. */
export function consumersText(consumers: ConsumersBody): string {
  const { total, behind, behind_on: rows } = consumers;
  if (total === 0) return 'none known';
  if (behind === 0) return total === 1 ? '1, up to date' : `${total}, all up to date`;
  const noun = total === 1 ? 'consumer' : 'consumers';
  const [first, ...others] = rows.map(({ generation, consumers: count }) => ({
    count,
    where: generation === null ? 'without any generation' : `on generation ${generation}`,
  }));
  const head = `${first?.count ?? behind} of ${total} ${noun} still ${first?.where ?? 'behind'}`;
  return [head, ...others.map(({ count, where }) => `${count} ${where}`)].join(', ');
}

/** One line for each that does not have the present generation, the first few of them. */
export function lateConsumers({
  generation,
  consumers,
}: Pick<CredentialDetailBody | ChainDetailBody, 'generation' | 'consumers'>): readonly string[] {
  const late = consumers.each.filter(({ sent, acknowledged }) => (acknowledged ?? sent) !== generation);
  return late.slice(0, LATE_SHOWN_MAX).map(({ consumer, sent, acknowledged }) => {
    const name = consumer ?? 'a subscriber without a name';
    if (acknowledged !== null && sent !== null && sent !== acknowledged) {
      return `${name}: has ${acknowledged}, was sent ${sent}`;
    }
    return `${name}: ${acknowledged ?? sent ?? 'nothing yet'}`;
  });
}

/** A screen has room for these; the API lists more. */
const LATE_SHOWN_MAX = 10;
