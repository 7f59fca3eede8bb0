/**
 * `freshd exec NAME... -- COMMAND`: runs a program with fresh tokens in its environment.
 *
 * Rule: the program's streams are ours, untouched, and its end is ours; a token is in its environment and nowhere else.
 */

import {
  type CommandArguments,
  CommandError,
  type CommandSpec,
  credentialName,
  isSwitchedOn,
  optionValues,
} from '../command.ts';
import { startChild } from '../exec/child.ts';
import { type HeldToken, type Holding, holdToken, variablesOf } from '../exec/held-tokens.ts';
import { relaySignals, type SignalRelay } from '../exec/signals.ts';
import { EXIT } from '../exit-code.ts';
import { pause } from '../time.ts';
import { DEMAND_OPTIONS, durationOf, readToken } from '../token-demand.ts';
import { checkedVariable } from '../variable.ts';

export const command: CommandSpec = {
  name: 'exec',
  summary: 'run a program with fresh tokens in its environment',
  argument: 'many',
  rest: 'COMMAND [ARGUMENT...]',
  options: [
    {
      name: 'env',
      value: 'NAME=VARIABLE',
      isRepeatable: true,
      summary: 'the variable of a token (default: as published, or NAME_TOKEN); may be repeated',
    },
    ...DEMAND_OPTIONS,
    { name: 'restart-on-refresh', summary: 'stop and start the program when there is a new token' },
    { name: 'grace', value: 'DURATION', summary: 'how long it may take to stop before it is killed (default: 10s)' },
    { name: 'debounce', value: 'DURATION', summary: 'how long to wait for more new tokens first (default: 1s)' },
  ],
  async run(args, io) {
    const names = namesOf(args);
    const holding = { chosen: chosenVariables(args, names), args, io };
    const graceMs = durationOf(args, 'grace') ?? GRACE_MS;
    const debounceMs = durationOf(args, 'debounce') ?? DEBOUNCE_MS;
    const held = await Promise.all(
      names.map(async (name) => holdToken(name, await readToken(name, args, io), holding)),
    );
    refuseSharedVariables(held);
    const restarts = isSwitchedOn(args, 'restart-on-refresh');
    const relay = await relaySignals(io, { isShared: !restarts });
    try {
      return restarts
        ? await runAgainAndAgain(held, holding, { relay, graceMs, debounceMs })
        : await runOnce(held, holding, relay);
    } finally {
      relay.close();
    }
  },
};

async function runOnce(held: readonly HeldToken[], { args, io }: Holding, relay: SignalRelay): Promise<number> {
  const env = { ...io.env, ...variablesOf(held) };
  const child = await startChild({ argv: args.rest, env, hasOwnGroup: false });
  relay.deliverTo(child.signal);
  return child.ended;
}

interface Restarting {
  readonly relay: SignalRelay;
  readonly graceMs: number;
  readonly debounceMs: number;
}

/** Until the program ends by itself, or somebody ends it. */
async function runAgainAndAgain(
  first: readonly HeldToken[],
  holding: Holding,
  { relay, graceMs, debounceMs }: Restarting,
): Promise<number> {
  const { args, io } = holding;
  // Only here: a program that is run once waits for no subscription to be loaded.
  const { followTokens } = await import('../exec/followed-tokens.ts');
  const followed = followTokens(first, holding);
  try {
    for (;;) {
      const { held } = followed;
      const env = { ...io.env, ...variablesOf(held) };
      const child = await startChild({ argv: args.rest, env, hasOwnGroup: true });
      relay.deliverTo(child.signal);
      // Rotations come in groups (one login, several credentials); each restart costs the program its work.
      const end = new AbortController();
      void child.ended.then(() => end.abort());
      const renewed = followed.changedFrom(held).then(() => pause(debounceMs, end.signal));
      const endedBy = await Promise.race([child.ended, renewed.then(() => null)]);
      if (endedBy !== null || relay.isEnding) return endedBy ?? (await child.ended);
      io.complain(`freshd: exec: ${newerThan(held, followed.held)}; restarting ${JSON.stringify(args.rest[0])}`);
      await child.stop(graceMs);
      if (relay.isEnding) return await child.ended;
    }
  } finally {
    followed.close();
  }
}

function newerThan(before: readonly HeldToken[], now: readonly HeldToken[]): string {
  const newer = now.filter((held, nth) => held !== before[nth]);
  return newer.map(({ name, token }) => `${name} has a new token (generation ${token.generation})`).join(', ');
}

function namesOf({ words, rest }: CommandArguments): readonly string[] {
  if (rest.length === 0) {
    throw new CommandError(
      'exec: expected a command after two dashes, for example: freshd exec claude -- npm start',
      EXIT.usage,
    );
  }
  // Commander takes the command for names, where there are none.
  if (words.length === 0) {
    throw new CommandError(
      'exec: expected the name of a credential before the two dashes, for example: freshd exec claude -- npm start',
      EXIT.usage,
    );
  }
  return [...new Set(words.map((name) => credentialName({ name })))];
}

/** @returns variable by name, as `--env` says */
function chosenVariables(args: CommandArguments, names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    optionValues(args, 'env').map((text) => {
      const equals = text.indexOf('=');
      const name = text.slice(0, Math.max(0, equals));
      const variable = text.slice(equals + 1);
      if (names.includes(name)) return [name, checkedVariable(variable, 'env')];
      throw new CommandError(
        `--env: expected NAME=VARIABLE with a NAME that is given too (${names.join(', ')}), got ${JSON.stringify(text.slice(0, 80))}`,
        EXIT.usage,
      );
    }),
  );
}

function refuseSharedVariables(held: readonly HeldToken[]): void {
  for (const { name, variable } of held) {
    const other = held.find((candidate) => candidate.variable === variable && candidate.name !== name);
    if (other === undefined) continue;
    throw new CommandError(
      `${name} and ${other.name} would both be ${variable}; name one of them otherwise, for example: --env ${name}=OTHER_NAME`,
      EXIT.usage,
    );
  }
}

/** As long as service managers commonly give a program that they stop. */
const GRACE_MS = 10_000;

const DEBOUNCE_MS = 1_000;
