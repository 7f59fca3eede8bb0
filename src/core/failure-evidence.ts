/**
 * Evidence: what an answer or a script's output says in places that have a meaning, and nothing else of it.
 *
 * Rule: codes come from the members where APIs put codes, statuses from the grammar in which programs print statuses,
 * messages from members that servers write. It collects, and never judges.
 */
import { isLiteralObject, type LiteralObject, type ObjectsInText, objectsIn, wholeObject } from './failure-literal.ts';
import { xmlIn } from './failure-markup.ts';
import {
  beginsPage,
  bounded,
  codesInText,
  isChallenge,
  isPage,
  isStatus,
  linesOf,
  reportedLines,
  statusInText,
} from './failure-text.ts';

export interface Evidence {
  /** HTTP status: given, or printed in the text in an unmistakable way; 0 is "no response"; null when there is none. */
  readonly status: number | null;
  /** Normalized (`TooManyRequestsException` is `too_many_requests_exception`), the most specific first, without repeats. */
  readonly codes: readonly string[];
  /** What was written for people: members of the error, or the lines of a text. */
  readonly messages: readonly string[];
  /** HTML, or the plain words of a firewall's challenge, where something else was due. */
  readonly isPage: boolean;
  /** The text is, or holds, an object that names an error. */
  readonly isStructured: boolean;
}

interface Shown {
  readonly text: string;
  readonly status: number | null;
}

/** An answer of a server: its body is one object, or has one in it, or is text. */
export function evidenceOfAnswer({ text, status }: Shown): Evidence {
  const { objects, rest } = shownIn(bounded(text));
  const errors = objects.map(errorIn).filter((error) => error !== null);
  const lines = linesOf(rest);
  return {
    status: status ?? statusIn(errors) ?? statusInText(rest),
    codes: normalized([...errors.flatMap(({ codes }) => codes), ...codesInText(lines)]),
    messages: [...errors.flatMap(({ messages }) => messages), ...(lines.length > 0 ? [lines.join(' ')] : [])],
    isPage: (errors.length === 0 && isPage(rest)) || isChallenge(rest),
    isStructured: errors.length > 0,
  };
}

/** An API's answer with a status of success: data, which may be about errors, unless it says itself that it is one. */
export function evidenceOfData(shown: Shown): Evidence {
  const whole = wholeObject(bounded(shown.text));
  if (whole !== null && isComplaint(foldedKeys(whole))) return evidenceOfAnswer(shown);
  const { isPage } = evidenceOfAnswer(shown);
  return { status: shown.status, codes: [], messages: [], isPage: isPage && whole === null, isStructured: false };
}

function isComplaint(folded: LiteralObject): boolean {
  if (folded.ok === false || folded.success === false || folded.type === 'error') return true;
  return ERROR_MEMBERS.some((member) => {
    const value = folded[member];
    return Array.isArray(value) ? value.length > 0 : Boolean(value) && value !== '0';
  });
}

/** Objects within a page are its scripts, or an example. */
function shownIn(text: string): ObjectsInText {
  const whole = wholeObject(text) ?? xmlIn(text);
  if (whole !== null) return { objects: [whole], rest: '' };
  return beginsPage(text) ? { objects: [], rest: text } : objectsIn(text);
}

/** What a script printed for people; code, traces and chatter among it are left out. */
export function evidenceOfLines({ text, status }: Shown): Evidence {
  const { objects, rest } = objectsIn(reportedLines(bounded(text)));
  const errors = objects
    .filter((object) => !isChatter(object))
    .map(errorIn)
    .filter((error) => error !== null);
  const lines = linesOf(rest);
  return {
    status: statusIn(errors) ?? statusInText(rest) ?? status,
    codes: normalized([...errors.flatMap(({ codes }) => codes), ...codesInText(lines)]),
    messages: [...errors.flatMap(({ messages }) => messages), ...lines],
    isPage: isPage(rest) || isChallenge(rest),
    isStructured: errors.length > 0,
  };
}

interface StatedError {
  readonly status: number | null;
  readonly codes: readonly string[];
  readonly messages: readonly string[];
}

/** @returns null for an object that names no error in a place where errors are named */
function errorIn(object: LiteralObject): StatedError | null {
  const folded = foldedKeys(object);
  const nested = nestedParts(folded, 0);
  const parts = [folded, ...nested];
  const codes = [
    ...codesOf(folded, CODE_MEMBERS),
    ...nested.flatMap((part) => codesOf(part, NESTED_CODE_MEMBERS)),
    ...parts.flatMap(summaryCodes),
  ];
  const messages = parts.flatMap(messagesOf);
  const status = parts.map(statusOf).find((value) => value !== null) ?? null;
  const said = [...messages.flatMap(codesInMessage), ...parts.flatMap(wordSaid)];
  if (codes.length === 0 && said.length === 0 && messages.length === 0 && status === null) return null;
  return { status, codes: [...codes, ...said], messages };
}

/** Servers differ in case, and so do those who print what they said. */
function foldedKeys(object: LiteralObject): LiteralObject {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key.replace(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase(), value]),
  );
}

function nestedParts(object: LiteralObject, depth: number): LiteralObject[] {
  if (depth >= NESTING_MAX) return [];
  return NESTING_MEMBERS.flatMap((member) => objectsOf(object[member]))
    .map(foldedKeys)
    .flatMap((part) => [part, ...nestedParts(part, depth + 1)]);
}

function objectsOf(value: unknown): LiteralObject[] {
  if (isLiteralObject(value)) return [value];
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).filter(isLiteralObject);
  // An object that was put into a string on its way, alone or behind words.
  return typeof value === 'string' && value.includes('{') ? objectsIn(value).objects.slice(0, ITEMS_MAX) : [];
}

function codesOf(part: LiteralObject, members: readonly string[]): string[] {
  const named = members.flatMap((member) => stringsOf(part[member])).filter((value) => CODE_SHAPE.test(value));
  const numbers = Array.isArray(part.error_codes) ? part.error_codes.slice(0, ITEMS_MAX) : [];
  return [...numbers.flatMap((value) => (typeof value === 'number' ? [`aadsts_${value}`] : [])), ...named];
}

/** One, or several in an array. */
function stringsOf(value: unknown): string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value.slice(0, ITEMS_MAX) : [value];
  return values.filter((item) => typeof item === 'string');
}

/** Dropbox: `expired_access_token/..`, a path of codes that ends in padding. */
function summaryCodes(part: LiteralObject): string[] {
  const path =
    typeof part.error_summary === 'string' ? /^(\w{1,64})\/[\w/]{0,128}\.{1,3}$/.exec(part.error_summary) : null;
  return path?.[1] === undefined ? [] : [path[1]];
}

function messagesOf(part: LiteralObject): string[] {
  const said = MESSAGE_MEMBERS.flatMap((member) => stringsOf(part[member])).filter((value) => value !== '');
  // A single word is a code or a title, but for bot interfaces, whose libraries join it to its number.
  const numbered = typeof part.error_code === 'number' && typeof part.description === 'string';
  const joined = numbered ? [`${part.error_code}: ${part.description}`] : [];
  const words = said.filter((value) => !CODE_SHAPE.test(value) || CAPITALS.test(value));
  const system = [part.code, part.errno].filter((value) => typeof value === 'string' && SYSTEM_ERROR.test(value));
  return [...joined, ...words.map((value) => value.replace(/\s+/g, ' ')), ...system.map(String)];
}

function statusOf(part: LiteralObject): number | null {
  for (const member of STATUS_MEMBERS) {
    const value = part[member];
    const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
    if (typeof status === 'number' && isStatus(status)) return status;
  }
  return null;
}

function statusIn(errors: readonly StatedError[]): number | null {
  return errors.find(({ status }) => status !== null)?.status ?? null;
}

/** Google's Identity Toolkit has its code as message (`TOKEN_EXPIRED`), Microsoft begins its messages with one. */
function codesInMessage(message: string): string[] {
  const capitals = CAPITALS.exec(message)?.[1];
  return [...codesInText([message]), ...(capitals === undefined ? [] : [capitals])];
}

/** A library's error whose message is the server's code, and no word besides. */
function wordSaid(part: LiteralObject): string[] {
  const said = part.message ?? part.msg;
  return typeof said === 'string' && said.includes('_') && CODE_SHAPE.test(said) ? [said] : [];
}

function normalized(codes: readonly string[]): string[] {
  return [...new Set(codes.map(normalCode))];
}

function normalCode(code: string): string {
  return code
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z\d]+/g, '_')
    .replace(/^_|_$/g, '')
    .toLowerCase();
}

/** A structured log line that is no complaint. */
function isChatter(object: LiteralObject): boolean {
  const level = object.level ?? object.severity ?? object.lvl;
  return typeof level === 'number' ? level < PINO_WARN : /^(?:info|debug|trace|notice|verbose)$/i.test(String(level));
}

/** Where APIs put the object that is their error, in the order in which one is more specific than another. */
const NESTING_MEMBERS = [
  'error',
  'err',
  'errors',
  'fault',
  'detail',
  'details',
  'extensions',
  'data',
  'body',
  'response',
  'message',
  'cause',
] as const;

/** Those that are empty unless something went wrong. */
const ERROR_MEMBERS = ['error', 'err', 'errors', 'fault', 'error_code', 'errcode'] as const;

const CODE_MEMBERS = [
  'error_subtype',
  'code',
  'error_code',
  'error',
  'errors',
  'reason',
  'error_type',
  'status',
  '__type',
  'category',
  'errorcode',
  'faultcode',
  'type',
] as const;

/** Within an error its name is what it is; anything else has a name too. */
const NESTED_CODE_MEMBERS = [...CODE_MEMBERS, 'name', '.tag'] as const;

const MESSAGE_MEMBERS = [
  'error_description',
  'message',
  'msg',
  'description',
  'error',
  'err',
  'errors',
  'detail',
  'title',
  'error_message',
  'error_msg',
  'errmsg',
  'error_summary',
  'faultstring',
  'reason',
] as const;

const STATUS_MEMBERS = [
  'api_error_status',
  'status',
  'status_code',
  'http_status',
  'http_status_code',
  'code',
  'error_code',
] as const;

/** `TOKEN_EXPIRED`, alone or ahead of a sentence. */
const CAPITALS = /^([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)(?:$|\s)/;

/** Node's and undici's names for errors of the network. */
const SYSTEM_ERROR = /^(?:E[A-Z]{4,}|UND_ERR_[A-Z_]+)$/;

/** One word, not a sentence and not a number; longer ones are identifiers of something else. */
const CODE_SHAPE = /^[A-Za-z][A-Za-z\d]*(?:[_.:/-]+[A-Za-z\d]+){0,12}$/;

const NESTING_MAX = 3;

const ITEMS_MAX = 8;

// pino's and bunyan's number for warnings.
const PINO_WARN = 40;
