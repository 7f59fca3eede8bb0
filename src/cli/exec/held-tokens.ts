/**
 * The tokens of a running program: what it was started with, and what has come since.
 *
 * Rule: one long poll per name, until it is closed. No trouble with the daemon ends one: the program runs on with what it has.
 */
import { PATHS, type TokenBody, WAIT_SECONDS_MAX } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { type CommandArguments, CommandError, type CommandIo } from '../command.ts';
import { printable } from '../formats/contract.ts';
import { epochSeconds, pause } from '../time.ts';
import { variableFor } from '../variable.ts';

export interface HeldToken {
  readonly name: string;
  readonly token: TokenBody;
  readonly variable: string;
}

/** What every reading of a token needs here. */
export interface Holding {
  /** The variable by name, where one was asked for. */
  readonly chosen: ReadonlyMap<string, string>;
  readonly args: CommandArguments;
  readonly io: CommandIo;
}

export interface FollowedTokens {
  readonly held: readonly HeldToken[];
  /** Resolves once `held` is another list than this one; rejects on a bug. */
  changedFrom(held: readonly HeldToken[]): Promise<void>;
  close(): void;
}

/** Of a chain that changed over to another credential, the variable is that credential's. */
export async function holdToken(name: string, token: TokenBody, { chosen, args, io }: Holding): Promise<HeldToken> {
  printable(token);
  return { name, token, variable: chosen.get(name) ?? (await variableFor(name, token, args, io)) };
}

/** The variables that an `.env` publication would have; undefined removes one that was inherited. */
export function variablesOf(held: readonly HeldToken[]): Record<string, string | undefined> {
  const variables: Record<string, string | undefined> = {};
  for (const { token, variable } of held) {
    const { access_token, expires_at, generation } = token;
    variables[variable] = access_token;
    variables[`${variable}_EXPIRES_AT`] = expires_at === null ? undefined : String(epochSeconds(expires_at));
    variables[`${variable}_GENERATION`] = String(generation);
  }
  return variables;
}

export function followTokens(first: readonly HeldToken[], holding: Holding): FollowedTokens {
  let held = first;
  let changed = createBell();
  function replace(newer: HeldToken): void {
    held = held.map((other) => (other.name === newer.name ? newer : other));
    changed.ring();
    changed = createBell();
  }

  // One each: a signal that many wait for warns of a leak.
  const ends = first.map((one) => {
    const end = new AbortController();
    follow(one, holding, end.signal, replace).catch((error: unknown) => changed.fail(error));
    return end;
  });
  return {
    get held() {
      return held;
    },
    changedFrom: (known) => (held === known ? changed.rung : Promise.resolve()),
    close() {
      for (const end of ends) end.abort();
    },
  };
}

async function follow(
  { name, token }: HeldToken,
  holding: Holding,
  signal: AbortSignal,
  onNewer: (newer: HeldToken) => void,
): Promise<void> {
  let { generation } = token;
  while (!signal.aborted) {
    try {
      const next = await nextToken(name, generation, holding, signal);
      const newer = await holdToken(name, next, holding);
      generation = next.generation;
      onNewer(newer);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      await pause(AGAIN_MS, signal);
    }
  }
}

function nextToken(name: string, generation: number, { args, io }: Holding, signal: AbortSignal): Promise<TokenBody> {
  const query = new URLSearchParams({ after_generation: String(generation), wait_seconds: String(WAIT_SECONDS_MAX) });
  const path = `${PATHS.token(name)}?${query}`;
  return call<TokenBody>({ method: 'GET', path, waitMs: WAIT_SECONDS_MAX * 1000, signal }, args, io);
}

interface Bell {
  readonly rung: Promise<void>;
  ring(): void;
  fail(error: unknown): void;
}

function createBell(): Bell {
  let ring = (): void => undefined;
  let fail = (_: unknown): void => undefined;
  const rung = new Promise<void>((resolve, reject) => {
    ring = resolve;
    fail = reject;
  });
  return { rung, ring: () => ring(), fail: (error) => fail(error) };
}

// After a minute without a newer token, while a daemon restarts, while a person has to act: soon enough for all of them,
// and a request costs the daemon microseconds.
const AGAIN_MS = 2_000;
