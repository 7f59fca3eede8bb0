/**
 * `--dry-run`: says for each credential and chain what the daemon would do with it, and when.
 *
 * Rule: reads stores and looks at programs; writes nothing, starts nothing, and knows no memory of former runs.
 */
import { stepChain } from '../core/chain.ts';
import { type ChainSpec, initialChain } from '../core/chain-state.ts';
import { explainChain, memberViews } from '../core/chain-view.ts';
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import { explain } from '../core/explain.ts';
import { step } from '../core/lifecycle.ts';
import { initialState } from '../core/memory.ts';
import type { CredentialState } from '../core/state.ts';
import type { Fingerprinter, Now } from '../core/token.ts';
import { findingOf, lossOf, type ManagedCredential } from './credential.ts';
import { PortError } from './ports.ts';
import { within } from './time-limit.ts';

export interface RehearsalOptions {
  readonly now: () => Now;
  readonly fingerprint: Fingerprinter;
}

export interface Rehearsal {
  /** For people; no secrets. */
  readonly lines: readonly string[];
  /** Null: its store does not answer. */
  readonly state: CredentialState | null;
}

export async function rehearse(credential: ManagedCredential, options: RehearsalOptions): Promise<Rehearsal> {
  const { name, policy, parts } = credential;
  const now = options.now();
  const targets = parts.publishers.map(({ id }) => id);
  const before = initialState({ name, policy, targets, memory: null }, now);
  const event = await eventOf(credential, options);
  if (event === 'timed_out') {
    return { lines: [`${name}: its store does not answer; freshd would look again every minute`], state: null };
  }
  const { state, effects } = step(before, event, now);
  const obstacle = (await parts.refresh?.obstacle()) ?? null;
  const lines = [
    ...effects.flatMap((effect) => wordsOf(effect) ?? []).map((words) => `would ${words}`),
    ...(obstacle === null ? [] : [`cannot be refreshed: ${obstacle.code}${said(obstacle.detail)}`]),
  ];
  return { lines: indented(explain(state, now), lines), state };
}

/** @param states of its members, as far as their stores answered */
export function rehearseChain(
  spec: ChainSpec,
  states: ReadonlyMap<string, CredentialState>,
  now: Now,
): readonly string[] {
  const before = initialChain(spec, null);
  const stateOf = (credential: string) => states.get(credential);
  const { state, effects } = stepChain(before, memberViews(before, stateOf, now), now);
  const would = effects.flatMap((effect) => wordsOf(effect) ?? []).map((words) => `would ${words}`);
  return indented(explainChain(state, stateOf, now), would);
}

function indented([first = '', ...rest]: readonly string[], lines: readonly string[]): readonly string[] {
  return [first, ...[...lines, ...rest].map((line) => `  ${line}`)];
}

async function eventOf({ parts }: ManagedCredential, options: RehearsalOptions): Promise<Event | 'timed_out'> {
  try {
    const reading = await within(parts.store.read(), READING_MS_MAX);
    if (reading === 'timed_out') return reading;
    const finding = findingOf(reading, options.fingerprint);
    return finding.kind === 'grant' ? { type: 'token_loaded', grant: finding.grant } : lossOf(finding, null);
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    return { type: 'state_broken', reason: 'state_broken', detail: error.message, attempt: null };
  }
}

/** Null for what is of no interest to a person. */
function wordsOf(effect: Effect): string | null {
  switch (effect.type) {
    case 'begin_attempt':
      return `refresh at once (${effect.reason})`;
    case 'publish_token':
      return `publish to ${effect.target}`;
    case 'withdraw_token':
      return `withdraw from ${effect.target} what freshd wrote there`;
    case 'set_sentinel':
      return effect.down === null ? null : `write the sentinel: ${effect.down.reason} (${effect.down.code})`;
    case 'send_alert':
      return `alert: ${effect.alert.kind}`;
    default:
      return null;
  }
}

const said = (detail: string | null): string => (detail === null ? '' : `: ${detail}`);

// As at a real start.
const READING_MS_MAX = 10_000;
