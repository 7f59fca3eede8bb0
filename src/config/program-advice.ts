/**
 * Looks for each program as the daemon will, so that a missing one is named before it is needed.
 *
 * Rule: advice only; the same things found when a refresh is due are failures of that refresh, and cure themselves.
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Advice } from './advice.ts';
import { type Complaint, complain } from './complaint.ts';
import { errnoText, isWritableByOthers, modeText, statOrNull } from './file-facts.ts';
import type { Capture } from './paths.ts';

/** PATH of a service that systemd starts; a login adds more, and a service does not have that. */
const SERVICE_FOLDERS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/snap/bin',
  '/opt/homebrew/bin',
];

/** @param at where the configuration names it, for the message */
export async function adviseOnProgram(program: string, at: string, capture: Capture): Promise<readonly Advice[]> {
  const advise = (code: string, complaint: Complaint): readonly Advice[] => [
    { code, message: `${at}: ${complain(complaint)}` },
  ];
  if (program.includes('/')) {
    const found = await statOrNull(program);
    const expected = `a program at ${program}`;
    if (found === null) return advise('program_missing', { expected, seen: 'nothing', remedy: 'put it there' });
    if (!found.isFile() || !(await isExecutable(program))) {
      const seen = `mode ${modeText(found)}`;
      return advise('program_not_executable', { expected, seen, remedy: `chmod +x ${program}` });
    }
    if (!isWritableByOthers(found)) return [];
    return advise('program_writable_by_others', {
      expected: `that only its owner may write ${program}`,
      seen: `mode ${modeText(found)}`,
      remedy: `look at what it does, then chmod go-w ${program}; until then it is not run`,
    });
  }
  const expected = `the program ${program} on the PATH`;
  const path = await findOnPath(program, capture);
  if (path === null) {
    const remedy = 'install it, or write its absolute path: a service does not have the PATH of your login';
    return advise('program_not_found', { expected, seen: 'none of that name', remedy });
  }
  const isService = capture.env.INVOCATION_ID !== undefined;
  if (isService || SERVICE_FOLDERS.some((folder) => path === join(folder, program))) return [];
  const remedy = `write "${path}": a service does not have the PATH of your login`;
  return advise('program_only_on_login_path', { expected: `${expected} of a service`, seen: path, remedy });
}

async function findOnPath(program: string, capture: Capture): Promise<string | null> {
  for (const folder of (capture.env.PATH ?? '').split(delimiter).filter((entry) => isAbsolute(entry))) {
    const path = join(folder, program);
    if ((await statOrNull(path))?.isFile() === true && (await isExecutable(path))) return path;
  }
  return null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch (error) {
    if (errnoText(error) === 'an unknown error') throw error;
    return false;
  }
}
