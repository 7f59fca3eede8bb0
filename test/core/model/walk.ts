/**
 * Breadth-first walk over every reachable state and everything that can happen in it.
 */
import { isDeepStrictEqual } from 'node:util';
import { assert } from '../../../src/core/invariants.ts';
import type { CredentialState } from '../../../src/core/state.ts';
import type { Happening, Slice } from './alphabet.ts';
import { judged, judgeSilence, type Subject } from './checks.ts';
import { keyOf } from './key.ts';
import type { World } from './world.ts';

interface Node {
  readonly state: CredentialState;
  readonly world: World;
  readonly from: Node | null;
  readonly by: string;
}

export interface WalkResult {
  readonly states: number;
  readonly transitions: number;
  readonly closed: boolean;
}

/** A broken invariant, with the shortest way to it. */
export class Counterexample extends Error {
  override readonly name = 'Counterexample';
}

export interface WalkOptions {
  readonly subject: Subject;
  readonly slice: Slice;
  readonly start: { readonly state: CredentialState; readonly world: World };
  readonly maxStates: number;
  /** Told of every transition, by the names of what happened. */
  readonly observe?: (before: CredentialState, name: string, after: CredentialState) => void;
}

export function walk({ subject, slice, start, maxStates, observe }: WalkOptions): WalkResult {
  const root: Node = { ...start, from: null, by: 'start' };
  const queue: Node[] = [root];
  const seen = new Set([keyOf(root.state, root.world)]);
  let transitions = 0;
  for (let index = 0; index < queue.length; index += 1) {
    const node = queue[index];
    if (node === undefined) break;
    guarded(node, 'silence', () => judgeSilence(subject, node.state, node.world));
    for (const happening of slice(node.state, node.world)) {
      transitions += 1;
      const next = guarded(node, happening.name, () => take(subject, node, happening));
      observe?.(node.state, happening.name, next.state);
      const key = keyOf(next.state, next.world);
      if (seen.has(key)) continue;
      if (seen.size >= maxStates) return { states: seen.size, transitions, closed: false };
      seen.add(key);
      queue.push(next);
    }
  }
  return { states: seen.size, transitions, closed: true };
}

function take(subject: Subject, node: Node, happening: Happening): Node {
  const { event, world } = happening;
  const result = subject.step(happening.from ?? node.state, event, world.now);
  const after = judged(subject, node.state, happening, result);
  if (happening.stale === true) {
    const ticked = subject.step(node.state, { type: 'tick' }, world.now);
    assert(isDeepStrictEqual(result, ticked), 'I11: a stale message equals a tick');
  }
  const again = subject.step(result.state, { type: 'tick' }, world.now);
  assert(again.effects.length === 0, 'I11: a second tick at the same moment does nothing');
  return { state: result.state, world: after, from: node, by: happening.name };
}

function guarded<T>(node: Node, by: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const way: string[] = [by];
    for (let at: Node | null = node; at !== null; at = at.from) way.unshift(at.by);
    throw new Counterexample(`${error instanceof Error ? error.message : String(error)}\n  ${way.join(' -> ')}`, {
      cause: error,
    });
  }
}
