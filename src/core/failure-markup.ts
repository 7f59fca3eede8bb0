/**
 * Markup: the error that an XML answer states, as an object like those of JSON.
 *
 * Rule: total and bounded. Elements with nothing but text in them are the members, by their local names, the first of a
 * name counts; nesting is not kept, since no error of an API repeats a name with another meaning.
 */
import type { LiteralObject } from './failure-literal.ts';

/** @returns null for text that is no XML, that is a page, or that names no member */
export function xmlIn(text: string): LiteralObject | null {
  if (!XML_START.test(text)) return null;
  const members = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(LEAF)) {
    if (members.size >= MEMBERS_MAX) break;
    if (!members.has(name)) members.set(name, plain(value));
  }
  return members.size === 0 ? null : Object.fromEntries(members);
}

function plain(value: string): string {
  const marked = /^<!\[CDATA\[([\s\S]*)\]\]>$/.exec(value.trim())?.[1];
  return marked ?? value.trim().replace(/&(lt|gt|quot|apos|amp);/g, (_whole, name: string) => ENTITIES[name] ?? ' ');
}

/** Its declaration, or an element that no page begins with. */
const XML_START =
  /^\s*<(?:\?xml\b|(?!(?:html|head|body|title|script|center|h\d|p|div|a|br|hr|meta)\b)[A-Za-z][\w.-]{0,63}(?::[\w.-]{1,63})?[\s>])/i;

const LEAF =
  /<(?:[A-Za-z][\w.-]{0,63}:)?([A-Za-z][\w.-]{0,63})(?:\s[^<>]{0,512})?>((?:<!\[CDATA\[[^\]]{0,2048}\]\]>|[^<]{1,2048}))<\/(?:[A-Za-z][\w.-]{0,63}:)?\1\s?>/g;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

// An error has a handful.
const MEMBERS_MAX = 32;
