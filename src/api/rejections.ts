/**
 * Reports of consumers that a resource server refused a token: to whom they go, and what is answered.
 *
 * Rule: a report is about one generation. Under a chain's name it is the chain's, and goes to the member it stood for.
 */
import type { Binding, ChainState } from '../core/chain-state.ts';
import { bindingOf } from '../core/chain-view.ts';
import type { CredentialState } from '../core/state.ts';
import { refusesToken } from '../core/token-refusal.ts';
import { rejectionOutcome } from '../core/view.ts';
import type { DaemonPort } from '../daemon/ports.ts';
import type { Asker } from './access.ts';
import type { OutcomeBody, RejectionBody } from './protocol.ts';
import { notAllowed, type Reply, success, unknownCredential } from './reply.ts';
import type { TokenReader } from './tokens.ts';
import { outcomeOnWire } from './wire.ts';

export interface RejectionReport {
  /** Of a credential or a chain. */
  readonly name: string;
  readonly body: RejectionBody;
  /** 0: answer what became of the report; otherwise with the next token. */
  readonly waitMs: number;
  readonly acceptsText: boolean;
  readonly asker: Asker;
  readonly onGone: (leave: () => void) => void;
}

export function reportRejection(
  { daemon, tokens }: { readonly daemon: DaemonPort; readonly tokens: TokenReader },
  report: RejectionReport,
): Reply | Promise<Reply> {
  const { name, body } = report;
  const chain = daemon.chains.state(name);
  const about = chain === undefined ? aboutCredential(name, body) : aboutMember(daemon, chain, body);
  const denial = 'binding' in about ? report.asker.denialOf(about.binding.credential) : null;
  // Whoever may not have a token cannot have seen one refused.
  if ('binding' in about && denial !== null) {
    report.asker.noteDenied(about.binding.credential, denial);
    return notAllowed(about.binding.credential, denial);
  }
  const outcome = 'binding' in about ? dispatch(daemon, about.binding, report) : about.outcome;
  if (outcome === null) return unknownCredential(daemon, name);
  const answer: OutcomeBody = chain === undefined ? outcome : { ...outcome, chain: name };
  const asksForNext = report.waitMs > 0 && outcome.outcome !== 'ignored';
  // A chain may have turned to another member at this very report.
  const hasNext = outcome.outcome !== 'not_refreshable' || daemon.chains.state(name)?.generation !== chain?.generation;
  if (!asksForNext || !hasNext) return success(202, answer);
  const { waitMs, acceptsText: asText } = report;
  return tokens.read(name, { minValidMs: null, afterGeneration: body.generation, waitMs, asText }, report);
}

type About = { readonly binding: Pick<Binding, 'credential' | 'of'> } | { readonly outcome: OutcomeBody };

const aboutCredential = (credential: string, { generation }: RejectionBody): About => ({
  binding: { credential, of: generation },
});

function aboutMember(daemon: DaemonPort, chain: ChainState, { generation, credential }: RejectionBody): About {
  const binding = bindingOf(chain, generation);
  const isMeant = binding !== null && (credential === undefined || credential === binding.credential);
  if (isMeant) return { binding };
  // A read that asked for a longer life was answered by a member that is not in use, with that one's own generation.
  const isReserve = credential !== undefined && chain.members.some((member) => member.credential === credential);
  if (isReserve && daemon.state(credential)?.held?.generation === generation) {
    return { binding: { credential, of: generation } };
  }
  // Too old to be remembered, or of nobody's token.
  const outcome = binding === null && generation < chain.generation ? 'superseded' : 'ignored';
  return { outcome: { credential: credential ?? chain.inUse?.credential ?? chain.name, outcome } };
}

/** @returns null when there is no such credential */
function dispatch(
  daemon: DaemonPort,
  { credential, of }: Pick<Binding, 'credential' | 'of'>,
  { asker, body }: Pick<RejectionReport, 'asker' | 'body'>,
) {
  const before: CredentialState | undefined = daemon.state(credential);
  if (before === undefined) return null;
  const { http_status: httpStatus = 401, body: text = '', consumer = UNNAMED_CONSUMER } = body;
  if (!refusesToken({ httpStatus, text })) return { credential, outcome: 'ignored' } as const;
  const event = { type: 'rejection_reported', generation: of, peer: asker.name ?? consumer } as const;
  const now = daemon.now();
  daemon.dispatch(credential, event);
  const outcome = rejectionOutcome(before, daemon.state(credential) ?? before, event, now);
  return outcomeOnWire(credential, outcome, daemon.remedy(credential), now);
}

/** Where the system does not tell them apart, all consumers that give no name count as one. */
const UNNAMED_CONSUMER = 'unnamed';
