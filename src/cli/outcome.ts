/**
 * What became of a refresh or a report, in words and as an exit code.
 *
 * Rule: pure.
 */
import type { OutcomeBody } from '../api/protocol.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { momentText } from './time.ts';

export function outcomeText(body: OutcomeBody, nowMs: number): string {
  const { credential, outcome } = body;
  switch (outcome) {
    case 'refresh_started':
      return `${credential}: a refresh has started`;
    case 'joined':
      return `${credential}: a refresh was running already; joined it`;
    case 'scheduled':
      return `${credential}: the next refresh is ${body.at === undefined ? 'planned' : momentText(body.at, nowMs)}; limits hold it back until then`;
    case 'superseded':
      return `${credential}: a newer token has replaced that generation already`;
    case 'ignored':
      return `${credential}: the report changed nothing`;
    case 'not_needed':
      return `${credential}: nothing to do, more than half of the life remains (--force refreshes all the same)`;
    case 'not_refreshable':
      return `${credential}: nothing here can refresh it: ${body.remedy ?? 'see freshd explain'}`;
  }
}

/** A person must act where nothing here can. */
export const outcomeExit = ({ outcome }: OutcomeBody): ExitCode =>
  outcome === 'not_refreshable' ? EXIT.permission : EXIT.ok;
