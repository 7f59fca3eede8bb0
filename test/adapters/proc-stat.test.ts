import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseProcStat, procStatPath } from '../../src/adapters/proc-stat.ts';

const rest = (from: number) => Array.from({ length: 48 }, (_, index) => index + from).join(' ');

test.each(['sh', 'a b', '(x) Z 1 1', ') S 9 9 9', ''])('a process named %j is taken apart behind its name', (name) => {
  const stat = parseProcStat(`4711 (${name}) S 10 20 30 ${rest(7)}\n`);
  expect(stat).toEqual({ pid: 4711, state: 'S', parent: 10, group: 20, session: 30, startTime: '22' });
});

test.each(['', '4711 (sh)', '4711 (sh) S 1 1 1 7 8'])('what is cut short (%j) is nothing', (text) => {
  expect(parseProcStat(text)).toBeNull();
});

test.runIf(process.platform === 'linux')('this process finds itself', () => {
  const stat = parseProcStat(readFileSync(procStatPath(process.pid), 'utf8'));
  expect(stat).toMatchObject({ pid: process.pid, parent: process.ppid });
});
