/**
 * Chains for people: a row for each in the overview, and one chain in detail.
 *
 * Rule: pure text from the daemon's answer; nothing is judged here but by health.ts.
 */
import type { ChainBody, ChainDetailBody } from '../api/protocol.ts';
import type { CommandIo } from './command.ts';
import { consumersText, lateConsumers } from './consumers.ts';
import type { Cell } from './format.ts';
import { table } from './format.ts';
import { type Health, healthOfChain, TONES } from './health.ts';
import { momentText } from './time.ts';

/** @returns an empty text where there are none */
export function chainTable(
  chains: readonly ChainBody[],
  healthOf: (chain: ChainBody) => Health,
  io: CommandIo,
): string {
  if (chains.length === 0) return '';
  const rows: Cell[][] = [
    ['CHAIN', 'IN USE', 'SINCE', 'MEMBERS'].map((text) => ({ text, tone: 'quiet' })),
    ...chains.map((chain): Cell[] => [
      { text: chain.chain },
      { text: chain.credential ?? 'none', tone: TONES[healthOf(chain)] },
      { text: sinceText(chain, io) },
      { text: chain.members.map(({ credential }) => credential).join(', ') },
    ]),
  ];
  return `\n${table(rows, io.isColourful)}`;
}

export function chainDetail(chain: ChainDetailBody, io: CommandIo): string {
  const tone = TONES[healthOfChain(chain)];
  const rows: Cell[][] = [
    [label('chain'), { text: chain.chain }],
    [label('in use'), { text: chain.credential ?? 'none', tone }],
    [label('since'), { text: sinceText(chain, io) }],
    [label('generation'), { text: chain.generation === null ? '-' : String(chain.generation) }],
    ...chain.members.map((member): Cell[] => [label('member'), { text: memberText(member, chain) }]),
    [label('consumers'), { text: consumersText(chain.consumers) }],
    ...chain.publications.map(({ target, status }): Cell[] => [
      label('published'),
      { text: `${target}: ${status}`, tone: status === 'failed' ? 'warning' : 'plain' },
    ]),
    ...lateConsumers(chain).map((text): Cell[] => [label('behind'), { text }]),
  ];
  const asked = chain.members.flatMap(({ credential, remedy }) =>
    remedy === null ? [] : [`${credential} needs a person: ${remedy}`],
  );
  const notes = [...chainTroubles(chain), ...asked].map((trouble) => `\n${trouble}`);
  return `${table(rows, io.isColourful)}${notes.join('')}${notes.length > 0 ? '\n' : ''}`;
}

/** What is wrong with the chain itself, each with what helps. */
export function chainTroubles(chain: ChainBody): string[] {
  const { credential, instead_of: instead, publications, consumers, fault } = chain;
  const lines: string[] = [];
  if (fault !== null) lines.push(`a bug keeps the daemon from tending it (${fault}); the log has the record`);
  if (credential === null) lines.push('no member is usable');
  else if (instead !== null) lines.push(`${credential} stands in for ${instead.credential}: ${lackText(instead)}`);
  if (consumers !== null && consumers.behind > 0) lines.push(consumersText(consumers));
  for (const { target, status, code, remedy } of publications) {
    if (code === null) continue;
    const what = status === 'failed' ? `${target} was not written (${code})` : `${target}: ${code}`;
    lines.push(`${what}${remedy === null ? '' : `: ${remedy}`}`);
  }
  return lines;
}

function memberText(member: ChainBody['members'][number], { credential: inUse }: ChainBody): string {
  const { credential, reason, code, settles_in_seconds: settles } = member;
  const part = credential === inUse ? 'in use' : null;
  const lack = reason === null || code === null ? null : lackText({ reason, code });
  const wait = settles === null ? null : `usable again, in use in ${settles} s if it stays so`;
  return `${credential}: ${[part, lack, wait].filter((text) => text !== null).join(', ') || 'in reserve'}`;
}

function sinceText({ since }: ChainBody, io: CommandIo): string {
  return since === null ? '-' : momentText(since, io.nowMs());
}

const lackText = ({ reason, code }: { readonly reason: string; readonly code: string }): string =>
  reason === code ? reason : `${reason} (${code})`;

const label = (text: string): Cell => ({ text, tone: 'quiet' });
