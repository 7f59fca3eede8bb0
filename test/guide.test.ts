/** The guide to troubleshooting: what it promises exists, and what a person meets is in it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMANDS } from '../src/cli/program.ts';
import { CODE_WORDS } from '../src/core/code-words.ts';

const guide = readFileSync('docs/troubleshooting.md', 'utf8');

test('A16: the guide has a row for each code that freshd has words for', () => {
  const table = guide.slice(guide.indexOf('## By code'));
  expect([...CODE_WORDS.keys()].filter((code) => !table.includes(`\`${code}\``))).toEqual([]);
});

test('A16: each command that the guide names exists, with the options it is shown with', () => {
  const blocks = /```sh\n([\s\S]*?)```/g;
  const inline = guide.replaceAll(blocks, '').matchAll(/`([^`]+)`/g);
  const code = [
    ...[...guide.matchAll(blocks)].flatMap(([, block = '']) => block.split('\n')),
    ...[...inline].map(([, text = '']) => text),
  ];
  const calls = code.map((text) => /^freshd ([a-z]+)((?: --[a-z-]+)*)/.exec(text)).filter((call) => call !== null);
  const wrong = calls.filter(([, name, options = '']) => {
    const spec = COMMANDS.find((command) => command.name === name);
    const known = spec?.options.map((option) => `--${option.name}`) ?? [];
    return (
      spec === undefined ||
      !options
        .trim()
        .split(' ')
        .filter(Boolean)
        .every((option) => known.includes(option))
    );
  });
  expect(calls.length).toBeGreaterThan(10);
  expect(wrong.map(([call]) => call)).toEqual([]);
});

test('A16: each document that the guide points to is there', () => {
  const links = [...guide.matchAll(/\]\(([a-z-]+\.md)\)/g)].map(([, file]) => file ?? '');
  for (const file of links) expect(readFileSync(`docs/${file}`, 'utf8')).not.toBe('');
  expect(links.length).toBeGreaterThan(2);
});
