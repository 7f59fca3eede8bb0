/**
 * The whole of a simulated file system as text, to compare two runs.
 *
 * Rule: says everything that a program could see, and what is durable; in an order that only names decide.
 */
import { createHash } from 'node:crypto';
import { byBytes } from './disk-calls.ts';
import { visible } from './disk-content.ts';
import type { Inode, Tree } from './disk-tree.ts';

export function describeTree(tree: Tree): string {
  const lines: string[] = [];
  const describe = (path: string, inode: Inode): void => {
    const { mode, uid, gid, mtimeNs, ctimeNs } = inode.attributes;
    const facts = [inode.kind, inode.ino, mode.toString(8), uid, gid, inode.names, mtimeNs, ctimeNs, inode.target];
    lines.push([path, ...facts, digest(visible(inode.content)), digest(inode.content.durable)].join(' '));
    for (const name of [...inode.durableEntries.keys()].sort(byBytes)) {
      lines.push(`  durable ${name} ${inode.durableEntries.get(name)?.id}`);
    }
    for (const [name, child] of [...inode.entries].sort(([a], [b]) => byBytes(a, b)))
      describe(`${path}/${name}`, child);
  };
  describe('', tree.root);
  return lines.join('\n');
}

function digest(bytes: Buffer): string {
  return bytes.length === 0 ? '-' : createHash('sha256').update(bytes).digest('base64');
}
