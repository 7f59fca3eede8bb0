/**
 * The log of what happens to chains: one record per change of who is in use, under stable names that can be grepped for.
 *
 * Rule: a warning says who, why, what takes over and what helps; the way back is information.
 */
import type { ChainChange, ChainState } from '../core/chain-state.ts';
import { observeAlerts, observeDeliveries } from './observe.ts';
import type { LogLevel, LogPort } from './ports.ts';

export interface ChainObserverOptions {
  readonly log: LogPort;
  /** What brings that credential back. */
  readonly remedy: (credential: string) => string;
}

export function createChainObserver(options: ChainObserverOptions): (before: ChainState, after: ChainState) => void {
  const { log } = options;
  return (before, after) => {
    const { name: chain, lastChange } = after;
    if (lastChange !== null && before.lastChange !== lastChange) observeChange(before, after, lastChange, options);
    observeDeliveries({ chain }, before.deliveries, after.deliveries, log);
    observeAlerts({ chain }, before.alerts, after.alerts, log);
  };
}

function observeChange(
  before: ChainState,
  { name: chain, generation, members }: ChainState,
  change: ChainChange,
  { log, remedy }: ChainObserverOptions,
): void {
  const { from, to, lack } = change;
  const [level, event] = recordOf(before, change);
  log.write(level, event, {
    chain,
    from,
    to,
    generation: to === null ? null : generation,
    ...(level === 'warn' && lack !== null && from !== null
      ? {
          reason: lack.reason,
          code: lack.code,
          instead: to ?? 'nothing',
          remedy: lack.needsPerson
            ? remedy(from)
            : `freshd goes on trying by itself; to see it: freshd explain ${from}`,
          members: members.length,
        }
      : {}),
  });
}

function recordOf({ lastChange: before, members }: ChainState, { from, to }: ChainChange): readonly [LogLevel, string] {
  if (to === null) return ['warn', 'chain_down'];
  const rank = (credential: string | null) => members.findIndex((member) => member.credential === credential);
  if (from === null) return ['info', before === null ? 'chain_in_use' : 'chain_restored'];
  const isStepDown = rank(from) >= 0 && rank(to) > rank(from);
  return isStepDown ? ['warn', 'chain_switched'] : ['info', 'chain_returned'];
}
