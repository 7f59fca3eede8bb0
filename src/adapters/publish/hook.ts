/**
 * Runs a user's command after a new generation or a withdrawal, for consumers that must be told.
 *
 * Rule: the command learns what happened, never the token; it gets a process group of its own, and only a run that exceeds
 * its time is ended. What a successful hook leaves running in the background is its own business.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { Publication } from '../../core/effect.ts';
import { PortError, type PublisherPort } from '../../daemon/ports.ts';
import { endWithProcess, signalGroup } from '../leftover-groups.ts';

export interface HookOptions {
  /** Program and arguments; never a shell string. Arguments are not shown anywhere: they may be secret. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly credential: string;
  /** Place among the publications of the credential: tells two hooks of one program apart. */
  readonly position: number;
  readonly timeoutMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly killGraceMs: number;
  /** The whole environment of the command, but for the `FRESHD_…` variables added here. */
  readonly environment: Readonly<Record<string, string>>;
}

/** @returns a publisher that throws PortError `hook_failed`, `hook_timeout` or `hook_not_startable` */
export function createHookPublisher(options: HookOptions): PublisherPort {
  // A withdrawal names the generation that ends; after a restart nobody here knows it, and the variable is absent.
  let lastPublished: Publication | null = null;
  return {
    id: `hook:${options.argv[0]}#${options.position}`,
    async publish(publication) {
      lastPublished = publication;
      await run(options, 'published', factsOf(publication));
    },
    async withdraw() {
      await run(options, 'withdrawn', lastPublished === null ? {} : factsOf(lastPublished));
    },
  };
}

/** The expiry is in epoch seconds, and absent when it is unknown or assumed. */
function factsOf({ token, generation }: Publication): Record<string, string> {
  const facts = { FRESHD_GENERATION: String(generation) };
  if (token.expiry.kind !== 'known') return facts;
  return { ...facts, FRESHD_EXPIRES_AT: String(Math.floor(token.expiry.expiresAt / 1000)) };
}

async function run(options: HookOptions, event: string, facts: Readonly<Record<string, string>>): Promise<void> {
  const [program, ...args] = options.argv;
  const child = execa(program, args, {
    cwd: options.cwd,
    env: { ...options.environment, ...facts, FRESHD_EVENT: event, FRESHD_CREDENTIAL: options.credential },
    extendEnv: false,
    // Its own group, to be ended as a whole; no pipes, so that nothing can hold them open.
    detached: true,
    stdio: 'ignore',
    reject: false,
  });
  const ended = endWithProcess(child.pid);
  const timer = new AbortController();
  const timedOut = delay(options.timeoutMs, 'timeout' as const, { signal: timer.signal });
  // Rejects only when it is called off because the command ended first.
  timedOut.catch(() => undefined);
  const outcome = await Promise.race([child, timedOut]);
  timer.abort();
  if (outcome === 'timeout') {
    await endGroup(child.pid, options.killGraceMs);
    ended();
    throw failure(program, 'hook_timeout', `no end within ${options.timeoutMs} ms, and was ended`, SLOW_REMEDY);
  }
  ended();
  if (!outcome.failed) return;
  if (outcome.exitCode !== undefined) {
    throw failure(program, 'hook_failed', `exit status ${outcome.exitCode}`, FAILED_REMEDY);
  }
  if (outcome.signal !== undefined) throw failure(program, 'hook_failed', `end by ${outcome.signal}`, FAILED_REMEDY);
  throw failure(program, 'hook_not_startable', outcome.code ?? 'no start', START_REMEDY);
}

/** SIGTERM, grace, SIGKILL, to the whole group. */
async function endGroup(group: number | undefined, graceMs: number): Promise<void> {
  if (group === undefined) return;
  signalGroup(group, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < graceMs && signalGroup(group, 0); waitedMs += POLL_MS) await delay(POLL_MS);
  if (signalGroup(group, 0)) signalGroup(group, 'SIGKILL');
}

function failure(program: string, code: string, seen: string, remedy: string): PortError {
  return new PortError(`hook ${program}: expected exit status 0, got ${seen}; ${remedy}`, { code, remedy });
}

const FAILED_REMEDY = 'run the command by hand in the same directory; its output is not kept';
const SLOW_REMEDY = 'let the hook start its work in the background and return';
const START_REMEDY = 'give the absolute path of an executable file, and a directory that exists';

// A group has no event for "empty": it must be asked. Often enough that a hook that obeys SIGTERM costs no visible wait.
const POLL_MS = 20;
