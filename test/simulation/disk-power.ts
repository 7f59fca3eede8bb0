/**
 * What a power failure leaves of the simulated disk.
 *
 * Rule: all that was synced, all that is old enough to have been written back, and of the rest what a journalling file
 * system may keep: each change of a name or none (a rename whole), each sector of a file old or new. Chance decides.
 */
import { type FileContent, replay, settleOn, writeBackOlderThan } from './disk-content.ts';
import { keyOf } from './disk-names.ts';
import { commitNames, type Inode, type NameChange, type Tree } from './disk-tree.ts';

/** @param random from 0 to below 1 */
export function losePower(tree: Tree, random: () => number): void {
  const since = tree.elapsed() - WRITE_BACK_MS;
  commitNames(
    tree,
    tree.pendingNames.filter(({ atMs }) => atMs < since),
  );
  commitNames(tree, chooseNames(tree.pendingNames, random));
  tree.pendingNames = [];
  tree.boots += 1;
  const found = new Set<Inode>();
  settle(tree.root, found, { since, random });
  tree.root.names = 1;
  renumber(tree, found);
}

/** As if everything had been synced long ago. */
export function makeAllDurable(tree: Tree): void {
  commitNames(tree, tree.pendingNames);
  const settleAll = (inode: Inode): void => {
    settleOnce(inode.content);
    inode.durableAttributes = inode.attributes;
    for (const child of inode.entries.values()) settleAll(child);
  };
  settleAll(tree.root);
}

function settleOnce(content: FileContent): void {
  content.durable = replay(content.durable, content.pending);
  content.pending = [];
}

/** What later changes of the same name need is kept with them, or goes with what they need. */
function chooseNames(pending: readonly NameChange[], random: () => number): readonly NameChange[] {
  const luck = random();
  if (luck < 0.25) return [];
  if (luck < 0.5) return pending;
  // A journal loses its end.
  if (luck < 0.75) return pending.slice(0, Math.floor(random() * (pending.length + 1)));
  const lost = new Set<string>();
  return pending.filter(({ settings }) => {
    const keys = settings.map(keyOf);
    const isKept = !keys.some((key) => lost.has(key)) && random() < 0.5;
    if (!isKept) for (const key of keys) lost.add(key);
    return isKept;
  });
}

function settle(inode: Inode, found: Set<Inode>, how: { readonly since: number; readonly random: () => number }): void {
  if (found.has(inode)) {
    inode.names += 1;
    return;
  }
  found.add(inode);
  inode.names = 1;
  inode.opens = 0;
  inode.isLocked = false;
  writeBackOlderThan(inode.content, how.since);
  if (inode.content.pending.length > 0) settleOn(inode.content, whatIsLeft(inode.content, how.random));
  else if (inode.content.size !== inode.content.durable.length) settleOn(inode.content, inode.content.durable);
  else inode.content.durable.copy(inode.content.bytes);
  if (how.random() < 0.5) inode.attributes = inode.durableAttributes;
  inode.durableAttributes = inode.attributes;
  inode.entries = new Map(inode.durableEntries);
  for (const child of inode.entries.values()) settle(child, found, how);
}

/** One of the states that a file can be found in whose changes were on their way. */
function whatIsLeft({ durable, pending }: FileContent, random: () => number): Buffer {
  const luck = random();
  if (luck < 0.2) return durable;
  const whole = replay(durable, pending);
  if (luck < 0.4) return whole;
  if (luck < 0.5) return withHole(durable, whole);
  const versions = [0, Math.floor(random() * (pending.length + 1)), pending.length].map((count) =>
    replay(durable, pending.slice(0, count)),
  );
  const size = oneOf(versions, random).length;
  // In order up to somewhere, or each sector by its own luck.
  const inOrder = luck < 0.7;
  const end = Math.floor(random() * (size / SECTOR_BYTES + 1));
  const left = Buffer.alloc(size);
  for (let at = 0; at < size; at += SECTOR_BYTES) {
    const version = inOrder ? (at / SECTOR_BYTES < end ? whole : durable) : oneOf(versions, random);
    if (at < version.length) version.copy(left, at, at, at + SECTOR_BYTES);
  }
  return left;
}

/** The new size was recorded, the new blocks were not written. */
function withHole(durable: Buffer, whole: Buffer): Buffer {
  const left = Buffer.alloc(whole.length);
  durable.copy(left);
  return left;
}

function oneOf(versions: readonly Buffer[], random: () => number): Buffer {
  const chosen = versions[Math.floor(random() * versions.length)];
  if (chosen === undefined) throw new Error('a random number was not below 1');
  return chosen;
}

/** Two files that never lived at once can have had one number; now both may be there. */
function renumber(tree: Tree, found: ReadonlySet<Inode>): void {
  const taken = new Set<number>();
  for (const inode of found) {
    if (taken.has(inode.ino)) inode.ino = tree.nextId++;
    taken.add(inode.ino);
  }
  tree.freeInos = [];
}

// Linux writes back what is dirty for 30 s, and looks every 5 s.
const WRITE_BACK_MS = 35_000;

// What a disk writes whole or not at all.
const SECTOR_BYTES = 512;
