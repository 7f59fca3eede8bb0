/**
 * Performs `publish_token`, `withdraw_token` and `set_sentinel`: delivers to targets that may be slow, full or hung.
 *
 * Rule: every target of every credential is a world of its own. It has at most one operation outstanding and one command
 * waiting, the latest; a superseded one is dropped, since the core ignores answers to older revisions. An operation that
 * passes its time limit is reported as failed while it stays outstanding, and until it ends every command to that target is
 * refused as `timed_out` without touching it: a hung network mount takes one operation, not the thread pool. A target that
 * follows others begins when those were tried. Where many hang, no other one is begun: journal and stores need threads too.
 */
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import { SENTINEL_TARGET } from '../core/targets.ts';
import { describeBug } from './bug.ts';
import { createFileThreads } from './file-threads.ts';
import { type LogPort, PortError, type PublisherPort, type PublishRemark, type SentinelPort } from './ports.ts';
import { createPublishOrder } from './publish-order.ts';
import { within } from './time-limit.ts';

export type PublishEffect = Extract<Effect, { type: 'publish_token' | 'withdraw_token' | 'set_sentinel' }>;

/** What belongs to the publications of a credential or a chain. */
export interface Publishing {
  readonly publishers: readonly PublisherPort[];
  /** For the sentinel. */
  readonly remedy: string;
}

export interface PublicationsOptions {
  /** By the name of a credential or a chain. */
  readonly publishing: (name: string) => Publishing | undefined;
  readonly sentinel: SentinelPort;
  readonly report: (credential: string, event: Event) => void;
  readonly log: LogPort;
  /** For one operation of a target that has no limit of its own. */
  readonly limitMs: number;
  /** Resolves when those effects of that credential or chain that are queued now have been started. */
  readonly handedOut: (name: string) => Promise<void>;
}

export interface Publications {
  submit(credential: string, effect: PublishEffect): void;
  /** Resolves when nothing is under way but what is hung. */
  idle(): Promise<void>;
}

interface Command {
  readonly credential: string;
  readonly effect: PublishEffect;
}

interface Target {
  waiting: Command | null;
  hung: boolean;
}

type Outcome =
  | { readonly kind: 'done'; readonly remark?: PublishRemark | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };

export function createPublications(options: PublicationsOptions): Publications {
  const targets = new Map<string, Target>();
  const active = new Set<Promise<void>>();
  const threads = createFileThreads();
  const order = createPublishOrder(options.handedOut);

  return {
    submit(credential, effect) {
      const command = { credential, effect };
      const key = `${credential} ${targetOf(effect)}`;
      const target = targets.get(key);
      if (target === undefined) void serve(key, command);
      else if (target.hung) reportTimedOut(command, options);
      else target.waiting = command;
    },
    async idle() {
      while (active.size > 0) await Promise.all(active);
    },
  };

  /** Runs commands of one target until none waits. */
  async function serve(key: string, first: Command): Promise<void> {
    const target: Target = { waiting: null, hung: false };
    targets.set(key, target);
    const follows = publisherOf(first, options)?.follows ?? null;
    let quiet = (): void => undefined;
    if (follows === null) order.note(first.credential, new Promise((resolve) => (quiet = resolve)));
    for (let command: Command | null = first; command !== null; command = takeWaiting(target)) {
      const operation = run(command, target, follows);
      active.add(operation.answered);
      await operation.answered;
      active.delete(operation.answered);
      if (target.hung) quiet();
      await operation.ended;
      target.hung = false;
    }
    targets.delete(key);
    quiet();
  }

  /** `answered` comes within the limit, its turn at the gate and that of what it follows; `ended` when the operation really is over. */
  function run(
    first: Command,
    target: Target,
    follows: readonly string[] | null,
  ): { answered: Promise<void>; ended: Promise<unknown> } {
    let end = (_over?: Promise<unknown>): void => undefined;
    const ended = new Promise((resolve) => (end = resolve));
    const file = fileOf(first, options);
    const turn = (): Promise<void> =>
      threads.run(file, async () => {
        const command = takeWaiting(target) ?? first;
        if (file !== null && threads.isCrowded()) {
          reportTimedOut(command, options);
          return end();
        }
        const work = operate(command, options);
        end(work);
        const outcome = await within(work, limitOf(command, options));
        if (outcome === 'timed_out') {
          target.hung = true;
          if (file !== null) threads.hangs(file, work);
          for (const late of [command, takeWaiting(target)]) if (late !== null) reportTimedOut(late, options);
        } else report(command, outcome, options);
      });
    const answered = follows === null ? turn() : order.whenTried(follows).then(turn);
    return { answered, ended };
  }
}

async function operate({ credential, effect }: Command, options: PublicationsOptions): Promise<Outcome> {
  try {
    if (effect.type === 'set_sentinel') {
      const remedy = options.publishing(credential)?.remedy ?? '';
      await options.sentinel.set(credential, effect.down === null ? null : { ...effect.down, remedy });
      return { kind: 'done' };
    }
    const publisher = publisherOf({ credential, effect }, options);
    if (publisher === undefined) throw targetGone(effect.target);
    if (effect.type === 'publish_token') return { kind: 'done', remark: await publisher.publish(effect.publication) };
    await publisher.withdraw();
    return { kind: 'done' };
  } catch (error) {
    return { kind: 'failed', error };
  }
}

function publisherOf({ credential, effect }: Command, options: PublicationsOptions): PublisherPort | undefined {
  const target = targetOf(effect);
  return options.publishing(credential)?.publishers.find(({ id }) => id === target);
}

/** A program takes no thread: null. */
function fileOf(command: Command, options: PublicationsOptions): string | null {
  if (command.effect.type === 'set_sentinel') return `${SENTINEL_TARGET} ${command.credential}`;
  return publisherOf(command, options)?.file ?? null;
}

function limitOf(command: Command, options: PublicationsOptions): number {
  return publisherOf(command, options)?.limitMs ?? options.limitMs;
}

function report({ credential, effect }: Command, outcome: Outcome, { report, log }: PublicationsOptions): void {
  const { revision } = effect;
  const target = targetOf(effect);
  if (outcome.kind === 'done') {
    const remark = outcome.remark === undefined ? {} : { remark: outcome.remark };
    report(credential, { type: 'publish_succeeded', target, revision, ...remark });
    return;
  }
  const { error } = outcome;
  if (error instanceof PortError) {
    const { code, remedy, message } = error;
    log.write('debug', 'publish_refused', { credential, target, code, detail: message });
    report(credential, { type: 'publish_failed', target, revision, code, remedy });
    return;
  }
  log.write('error', 'internal_error', { credential, target, during: effect.type, ...describeBug(error) });
  const remedy = 'this is a bug in freshd: report it with the log line internal_error';
  report(credential, { type: 'publish_failed', target, revision, code: 'internal_error', remedy });
}

function reportTimedOut(command: Command, options: PublicationsOptions): void {
  const { credential, effect } = command;
  const seconds = Math.round(limitOf(command, options) / 1000);
  options.report(credential, {
    type: 'publish_failed',
    target: targetOf(effect),
    revision: effect.revision,
    code: 'timed_out',
    remedy: `it did not answer within ${seconds} s: look at the file system or program behind it`,
  });
}

function takeWaiting(target: Target): Command | null {
  const { waiting } = target;
  target.waiting = null;
  return waiting;
}

function targetOf(effect: PublishEffect): string {
  return effect.type === 'set_sentinel' ? SENTINEL_TARGET : effect.target;
}

function targetGone(target: string): PortError {
  return new PortError(`${target}: expected a configured target, found none`, {
    code: 'target_gone',
    remedy: 'the configuration no longer names it; nothing to do',
  });
}
