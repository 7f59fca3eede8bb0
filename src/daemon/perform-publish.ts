/**
 * Performs `publish_token`, `withdraw_token` and `set_sentinel`: delivers to targets that may be slow, full or hung.
 *
 * Rule: every target of every credential is a world of its own. It has at most one operation outstanding and one command
 * waiting, the latest; a superseded one is dropped, since the core ignores answers to older revisions. An operation that
 * passes its time limit is reported as failed while it stays outstanding, and until it ends every command to that target is
 * refused as `timed_out` without touching it: a hung network mount takes one operation, not the thread pool (row F83).
 */
import type { Effect } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import { describeBug } from './bug.ts';
import type { ManagedCredential } from './credential.ts';
import { createGate } from './gate.ts';
import { type LogPort, PortError, type SentinelPort } from './ports.ts';
import { within } from './time-limit.ts';

export type PublishEffect = Extract<Effect, { type: 'publish_token' | 'withdraw_token' | 'set_sentinel' }>;

export interface PublicationsOptions {
  readonly credential: (name: string) => ManagedCredential | undefined;
  readonly sentinel: SentinelPort;
  readonly report: (credential: string, event: Event) => void;
  readonly log: LogPort;
  readonly limitMs: number;
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

type Outcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: unknown };

export function createPublications(options: PublicationsOptions): Publications {
  const targets = new Map<string, Target>();
  const active = new Set<Promise<void>>();
  const gate = createGate(OPERATIONS_MAX);

  return {
    submit(credential, effect) {
      const command = { credential, effect };
      const key = `${credential} ${targetOf(effect)}`;
      const target = targets.get(key);
      if (target === undefined) void serve(key, command);
      else if (target.hung) reportTimedOut(command);
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
    for (let command: Command | null = first; command !== null; command = takeWaiting(target)) {
      const operation = run(command, target);
      active.add(operation.answered);
      await operation.answered;
      active.delete(operation.answered);
      await operation.ended;
      target.hung = false;
    }
    targets.delete(key);
  }

  /** `answered` comes within the limit and its turn at the gate; `ended` when the operation really is over. */
  function run(command: Command, target: Target): { answered: Promise<void>; ended: Promise<unknown> } {
    let end: (over: Promise<unknown>) => void;
    const ended = new Promise((resolve) => {
      end = resolve;
    });
    const answered = gate.run(async () => {
      const work = operate(command);
      end(work);
      const outcome = await within(work, options.limitMs);
      if (outcome === 'timed_out') {
        target.hung = true;
        reportTimedOut(command);
        const waiting = takeWaiting(target);
        if (waiting !== null) reportTimedOut(waiting);
      } else report(command, outcome);
    });
    return { answered, ended };
  }

  async function operate({ credential, effect }: Command): Promise<Outcome> {
    try {
      const managed = options.credential(credential);
      if (effect.type === 'set_sentinel') {
        const down = effect.down === null ? null : { ...effect.down, remedy: managed?.parts.remedy ?? '' };
        await options.sentinel.set(credential, down);
        return { kind: 'done' };
      }
      const publisher = managed?.parts.publishers.find((one) => one.id === effect.target);
      if (publisher === undefined) throw targetGone(effect.target);
      await (effect.type === 'publish_token' ? publisher.publish(effect.publication) : publisher.withdraw());
      return { kind: 'done' };
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  function report({ credential, effect }: Command, outcome: Outcome): void {
    const { revision } = effect;
    const target = targetOf(effect);
    if (outcome.kind === 'done') {
      options.report(credential, { type: 'publish_succeeded', target, revision });
      return;
    }
    const { error } = outcome;
    if (error instanceof PortError) {
      options.log.write('debug', 'publish_refused', { credential, target, code: error.code, detail: error.message });
      options.report(credential, {
        type: 'publish_failed',
        target,
        revision,
        code: error.code,
        remedy: error.remedy,
      });
      return;
    }
    options.log.write('error', 'internal_error', { credential, target, during: effect.type, ...describeBug(error) });
    options.report(credential, {
      type: 'publish_failed',
      target,
      revision,
      code: 'internal_error',
      remedy: 'this is a bug in freshd: report it with the log line internal_error',
    });
  }

  function reportTimedOut({ credential, effect }: Command): void {
    const seconds = Math.round(options.limitMs / 1000);
    options.report(credential, {
      type: 'publish_failed',
      target: targetOf(effect),
      revision: effect.revision,
      code: 'timed_out',
      remedy: `it did not answer within ${seconds} s: look at the file system or program behind it`,
    });
  }
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

/** The name under which the sentinel's deliveries are reported. */
const SENTINEL_TARGET = 'sentinel';

// At the start of thousands of credentials this many files are written at once: enough to keep a disk busy, and far below
// the usual limit of 1,024 descriptors.
const OPERATIONS_MAX = 64;
