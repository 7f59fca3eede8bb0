/**
 * Whether the configuration can be trusted: it names programs to run, so nobody else may write it or put another in its place.
 *
 * Rule: refuses with the command that helps; systems without owners and modes have nothing to check.
 */
import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import { complain } from './complaint.ts';
import { isWritableByOthers, mayOthersReplaceIn, modeText, realPathOf, statOrNull } from './file-facts.ts';
import type { Capture } from './paths.ts';

/** @returns one message for each file or folder that others may change */
export async function findDistrust(path: string, capture: Capture): Promise<readonly string[]> {
  const { uid } = capture;
  if (uid === null) return [];
  const file = await realPathOf(path);
  // A link lies in a folder of its own, and whoever may write there can point it elsewhere.
  const folders = [...new Set([dirname(path), dirname(file)])];
  const problems: string[] = [];
  const found = await statOrNull(file);
  if (found !== null) problems.push(...judge(file, found, isWritableByOthers(found), uid));
  for (const folder of folders) {
    const facts = await statOrNull(folder);
    if (facts !== null) problems.push(...judge(folder, facts, mayOthersReplaceIn(facts), uid));
  }
  return problems;
}

function judge(path: string, found: Stats, isOpen: boolean, uid: number): readonly string[] {
  const kind = found.isDirectory() ? 'folder' : 'file';
  if (found.uid !== uid && found.uid !== 0) {
    const expected = `a ${kind} of uid ${uid} or root, because it names programs to run`;
    const remedy = `look at what it says, then chown ${uid} ${path}`;
    return [`${path}: ${complain({ expected, seen: `one of uid ${found.uid}`, remedy })}`];
  }
  if (!isOpen) return [];
  const expected = `a ${kind} that only its owner may write, because it names programs to run`;
  return [`${path}: ${complain({ expected, seen: `mode ${modeText(found)}`, remedy: `chmod go-w ${path}` })}`];
}
