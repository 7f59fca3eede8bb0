/**
 * A subscription of a command to the daemon's events.
 *
 * Rule: kept by the client library, which comes back by itself; here it only meets the command's arguments.
 */
import { systemRuntime } from '../client/runtime.ts';
import { keepSubscribed, type Subscription, type SubscriptionOptions } from '../client/subscription.ts';
import type { CommandArguments, CommandIo } from './command.ts';
import { socketPlaces } from './socket-place.ts';

type Listening = Pick<SubscriptionOptions, 'onEvent'> &
  Partial<Pick<SubscriptionOptions, 'onUp' | 'onDown' | 'consumer'>>;

/**
 * @param names null: all
 * @param listening without a `consumer` it only looks on
 * @throws CommandError when a configuration was named and cannot be read; a daemon that is away is waited for
 */
export function subscribe(
  names: readonly string[] | null,
  listening: Listening,
  { args, io }: { readonly args: CommandArguments; readonly io: CommandIo },
): Subscription {
  const places = socketPlaces(args, io);
  const ignored = { onBegin: ignore, onUp: ignore, onDown: ignore, consumer: null };
  return keepSubscribed({
    ...ignored,
    ...listening,
    places,
    names,
    runtime: systemRuntime,
  });
}

const ignore = (): void => undefined;
