/**
 * A subscription of a command to the daemon's events.
 *
 * Rule: kept by the client library, which comes back by itself; here it only meets the command's arguments.
 */
import { defaultConsumer, systemRuntime } from '../client/runtime.ts';
import { keepSubscribed, type Subscription, type SubscriptionOptions } from '../client/subscription.ts';
import type { CommandArguments, CommandIo } from './command.ts';
import { socketPlaces } from './socket-place.ts';

type Listening = Pick<SubscriptionOptions, 'onEvent'> & Partial<Pick<SubscriptionOptions, 'onUp' | 'onDown'>>;

/**
 * @param names null: all
 * @throws CommandError when a configuration was named and cannot be read; a daemon that is away is waited for
 */
export function subscribe(
  names: readonly string[] | null,
  listening: Listening,
  { args, io }: { readonly args: CommandArguments; readonly io: CommandIo },
): Subscription {
  const places = socketPlaces(args, io);
  const ignored = { onBegin: ignore, onUp: ignore, onDown: ignore };
  return keepSubscribed({
    ...ignored,
    ...listening,
    places,
    names,
    consumer: defaultConsumer(),
    runtime: systemRuntime,
  });
}

const ignore = (): void => undefined;
