/**
 * The daemon in one line, for whoever starts and watches services: how many credentials can be read, and what happens next.
 *
 * Rule: names and moments only; absolute times, because the line stands until the next one.
 */
import { clockText } from './moment-text.ts';
import { type NextAction, nextAction } from './next-action.ts';
import type { CredentialState } from './state.ts';
import { epochMs, type Now } from './token.ts';
import { readToken } from './view.ts';

/** "2 of 3 credentials usable; next: refresh of mail at 14:02 UTC" */
export function statusLine(states: readonly CredentialState[], now: Now): string {
  if (states.length === 0) return 'no credentials are configured';
  const usable = states.filter((state) => readToken(state, now).kind === 'token').length;
  const noun = states.length === 1 ? 'credential' : 'credentials';
  return `${usable} of ${states.length} ${noun} usable; ${nextText(states, now)}`;
}

function nextText(states: readonly CredentialState[], now: Now): string {
  let first: { readonly name: string; readonly what: string; readonly inMs: number } | null = null;
  for (const state of states) {
    const { what, inMs } = nextAction(state, now);
    if (inMs === null || !isAttempt(what)) continue;
    if (first === null || inMs < first.inMs) first = { name: state.name, what: WORDS[what], inMs };
  }
  if (first === null) return 'nothing to refresh, the stores are watched';
  const when = first.inMs <= 0 ? 'now' : `at ${clockText(epochMs(now.wallMs + first.inMs), now.wallMs)}`;
  return `next: ${first.what} of ${first.name} ${when}`;
}

type AttemptAction = Exclude<NextAction['what'], 'store_check' | 'none'>;

const isAttempt = (what: NextAction['what']): what is AttemptAction => what !== 'store_check' && what !== 'none';

const WORDS: Readonly<Record<AttemptAction, string>> = {
  refresh: 'refresh',
  retry: 'retry',
  recovery: 'recovery',
  probe: 'probe',
  attempt_running: 'result of the refresh',
};
