import { expect, test } from 'vitest';
import type { CommandIo } from '../../src/cli/command.ts';
import { createPage, createScroll } from '../../src/cli/screen.ts';

function listen() {
  let written = '';
  const io = {
    write: (text: string) => {
      written += text;
    },
    complain: (line: string) => {
      written += `! ${line}\n`;
    },
  } as CommandIo;
  return { io, written: () => written };
}

test('a terminal that does not know its size is shown everything', () => {
  const { io, written } = listen();
  createPage(io, () => 0).show('a\nb\nc\nd\n');
  for (const line of ['a', 'b', 'c', 'd']) expect(written()).toContain(line);
  expect(written()).not.toContain('more lines');
});

test('a page says what is wrong beside the last text, until there is another, and nothing is drawn twice', () => {
  const { io, written } = listen();
  const page = createPage(io, () => 24);
  page.show('first\n');
  const drawn = written().length;
  page.show('first\n');
  expect(written()).toHaveLength(drawn);
  page.complain('the daemon is away');
  expect(written().slice(drawn)).toMatch(/the daemon is away[\s\S]*first/);
  const complained = written().length;
  page.show('first\n');
  expect(written().slice(complained)).toContain('first');
  expect(written().slice(complained)).not.toContain('away');
});

test('through a pipe the texts follow one another', () => {
  const { io, written } = listen();
  const scroll = createScroll(io, '\n');
  for (const text of ['a\n', 'a\n', 'b\n']) scroll.show(text);
  scroll.complain('away');
  scroll.close();
  expect(written()).toBe('a\n\nb\n! away\n');
});
