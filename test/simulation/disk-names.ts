/**
 * Which changes of names a sync of a directory makes durable.
 *
 * Rule: never one without those before it that it builds on.
 */
import { commitNames, type Inode, type NameChange, type NameSetting, type Tree } from './disk-tree.ts';

/**
 * Makes the names in a directory durable, and those that lead to it: no journalling file system commits a directory's
 * entries before the directory itself.
 */
export function syncNames(tree: Tree, directory: Inode): void {
  const needed = new Set<string>();
  const within = ancestry(tree, directory);
  const kept: NameChange[] = [];
  for (const change of [...tree.pendingNames].reverse()) {
    const isMeant = change.settings.some(
      (setting) =>
        setting.directory === directory ||
        (setting.inode !== null && within.has(setting.inode)) ||
        needed.has(keyOf(setting)),
    );
    if (!isMeant) continue;
    for (const setting of change.settings) needed.add(keyOf(setting));
    kept.push(change);
  }
  commitNames(tree, kept.reverse());
  directory.durableAttributes = directory.attributes;
}

export function keyOf({ directory, name }: NameSetting): string {
  return `${directory.id}/${name}`;
}

/** The directory and all that it lies in, as far as any of that is new. */
function ancestry(tree: Tree, directory: Inode): ReadonlySet<Inode> {
  const path: Inode[] = [];
  const isAnyNew = tree.pendingNames.some(({ settings }) => settings.some(({ inode }) => inode?.kind === 'directory'));
  if (!isAnyNew) return new Set();
  const find = (place: Inode): boolean => {
    if (place === directory) return true;
    for (const child of place.entries.values()) {
      if (child.kind !== 'directory' || !find(child)) continue;
      path.push(child);
      return true;
    }
    return false;
  };
  find(tree.root);
  return new Set(path);
}
