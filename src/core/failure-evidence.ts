/**
 * Evidence: what an answer or a script's output says in places that have a meaning, and nothing else of it.
 *
 * Rule: codes come from the members where APIs put codes, statuses from the grammar in which programs print statuses,
 * messages from members that servers write. It collects, and never judges.
 */
import { isLiteralObject, type LiteralObject, objectsIn, wholeObject } from './failure-literal.ts';

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
  const kept = bounded(text);
  const whole = wholeObject(kept);
  const { objects, rest } = whole === null ? objectsIn(kept) : { objects: [whole], rest: '' };
  const errors = objects.map(errorIn).filter((error) => error !== null);
  const lines = linesOf(rest);
  return {
    status: status ?? statusIn(errors) ?? statusInText(rest),
    codes: normalized([...errors.flatMap(({ codes }) => codes), ...codesInText(lines)]),
    messages: [...errors.flatMap(({ messages }) => messages), ...(lines.length > 0 ? [lines.join(' ')] : [])],
    isPage: (errors.length === 0 && PAGE.test(rest)) || CHALLENGE.test(rest),
    isStructured: errors.length > 0,
  };
}

/** What a script printed for people; code, traces and chatter among it are left out. */
export function evidenceOfLines({ text, status }: Shown): Evidence {
  const reported = linesOf(bounded(text).replace(ANSI, ''))
    .filter((line) => !NO_REPORT.some((shape) => shape.test(line)))
    .join('\n');
  const { objects, rest } = objectsIn(reported);
  const errors = objects
    .filter((object) => !isChatter(object))
    .map(errorIn)
    .filter((error) => error !== null);
  const lines = linesOf(rest);
  return {
    status: statusIn(errors) ?? statusInText(rest) ?? status,
    codes: normalized([...errors.flatMap(({ codes }) => codes), ...codesInText(lines)]),
    messages: [...errors.flatMap(({ messages }) => messages), ...lines],
    isPage: PAGE.test(rest) || CHALLENGE.test(rest),
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
  const parts = [folded, ...nestedParts(folded, 0)];
  const codes = parts.flatMap(codesOf);
  const messages = parts.flatMap(messagesOf);
  const status = parts.map(statusOf).find((value) => value !== null) ?? null;
  if (codes.length === 0 && messages.length === 0 && status === null) return null;
  return { status, codes: [...codes, ...messages.flatMap(codesInMessage)], messages };
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
  // An object that was put into a string on its way.
  const whole = typeof value === 'string' ? wholeObject(value) : null;
  return whole === null ? [] : [whole];
}

function codesOf(part: LiteralObject): string[] {
  const named = CODE_MEMBERS.flatMap((member) => {
    const value = part[member];
    return typeof value === 'string' && CODE_SHAPE.test(value) ? [value] : [];
  });
  const numbers = Array.isArray(part.error_codes) ? part.error_codes.slice(0, ITEMS_MAX) : [];
  return [...numbers.flatMap((value) => (typeof value === 'number' ? [`aadsts_${value}`] : [])), ...named];
}

function messagesOf(part: LiteralObject): string[] {
  const said = MESSAGE_MEMBERS.flatMap((member) => {
    const value = part[member];
    return typeof value === 'string' && value !== '' ? [value] : [];
  });
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
  return [...aadCodesIn(message), ...(capitals === undefined ? [] : [capitals])];
}

function aadCodesIn(text: string): string[] {
  return [...text.matchAll(/(?<![A-Za-z0-9])AADSTS(\d{4,7})(?!\d)/g)].map(([, number]) => `aadsts_${number}`);
}

/** Codes in the position in which programs print them: after `error`, a status, a quote or a colon, or as all there is. */
function codesInText(lines: readonly string[]): string[] {
  return lines.flatMap((line) => [
    ...aadCodesIn(line),
    ...[...line.matchAll(CODE_IN_LINE)].flatMap(([, code]) => (code === undefined ? [] : [code])),
  ]);
}

function statusInText(text: string): number | null {
  for (const shape of STATUS_SHAPES) {
    for (const found of text.matchAll(shape)) {
      const status = Number(found.groups?.status);
      if (isStatus(status) && isReason(status, found.groups?.reason)) return status;
    }
  }
  return null;
}

function isStatus(value: number): boolean {
  return Number.isInteger(value) && value >= 300 && value <= 599;
}

function isReason(status: number, reason: string | undefined): boolean {
  return reason === undefined || REASONS.get(status) === reason.toLowerCase();
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

function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
}

/** A structured log line that is no complaint. */
function isChatter(object: LiteralObject): boolean {
  const level = object.level ?? object.severity ?? object.lvl;
  return typeof level === 'number' ? level < PINO_WARN : /^(?:info|debug|trace|notice|verbose)$/i.test(String(level));
}

/** The beginning names the error, the end is what came last; what lies between is data. */
function bounded(text: string): string {
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  const half = TEXT_CHARACTERS_MAX / 2;
  return `${text.slice(0, half)}\n${text.slice(-half)}`;
}

/** Where APIs put the object that is their error, in the order in which one is more specific than another. */
const NESTING_MEMBERS = ['error', 'err', 'errors', 'detail', 'details', 'data', 'body', 'response', 'cause'] as const;

const CODE_MEMBERS = [
  'error_subtype',
  'code',
  'error_code',
  'error',
  'reason',
  'error_type',
  'status',
  '__type',
  'type',
] as const;

const MESSAGE_MEMBERS = ['error_description', 'message', 'msg', 'description', 'error', 'detail', 'title'] as const;

const STATUS_MEMBERS = ['api_error_status', 'status', 'status_code', 'http_status', 'code', 'error_code'] as const;

/** `TOKEN_EXPIRED`, alone or ahead of a sentence. */
const CAPITALS = /^([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)(?:$|\s)/;

/** Node's and undici's names for errors of the network. */
const SYSTEM_ERROR = /^(?:E[A-Z]{4,}|UND_ERR_[A-Z_]+)$/;

/** One word, not a sentence and not a number; longer ones are identifiers of something else. */
const CODE_SHAPE = /^[A-Za-z][A-Za-z\d]*(?:[_.:/-]+[A-Za-z\d]+){0,12}$/;

// Two words with an underscore at least: a single word is also a word of any sentence. What follows tells a report from a remark.
const CODE_IN_LINE =
  /(?:^|[:=]\s{0,3}|\berror\s{1,3}|\bwith\s{1,3}|\b[45]\d\d\s{1,3}|[—–-]\s{1,3}|[([])["'(]{0,2}([a-z]{2,20}(?:_[a-z]{2,20}){1,5})(?=$|[\s"')\]:,;.])(?![.:]\w|[\s"']{1,3}(?:is|are|was|were|when|if|and|or|in|on|as|for|handling|handler|errors?|cases?|tests?|paths?|branch|codes?)\b)/gi;

/** RFC 9110 §15, RFC 6585; lower case. */
const REASONS: ReadonlyMap<number, string> = new Map([
  [400, 'bad request'],
  [401, 'unauthorized'],
  [402, 'payment required'],
  [403, 'forbidden'],
  [404, 'not found'],
  [407, 'proxy authentication required'],
  [408, 'request timeout'],
  [425, 'too early'],
  [429, 'too many requests'],
  [500, 'internal server error'],
  [502, 'bad gateway'],
  [503, 'service unavailable'],
  [504, 'gateway timeout'],
]);

const REASON_WORDS = [...REASONS.values()].join('|');

/** Each names its number; what stands before and after it keeps ids, ports, durations and counts out. */
const STATUS_SHAPES: readonly RegExp[] = [
  /\bHTTP(?:\/\d(?:\.\d)?)?[ :]{0,2}(?:status|error|code|response)?(?: code)?[ :=]{0,3}\(?(?<status>\d{3})(?![\d.]\d|[\dkm])/gi,
  /\b(?:unexpected |response )?status(?:[ _-]?code)?["']?\s{0,2}[:=]?\s{0,2}["']?(?<status>\d{3})(?![\d.]\d|[\dkm])/gi,
  /\breturned error: (?<status>\d{3})(?!\d)/gi,
  /\b(?:API|server) error:? {1,2}\(?(?<status>\d{3})(?![\d.]\d|[\dkm])/gi,
  /\berror code: (?<status>\d{3})(?= - |$)/gim,
  /\b(?:refresh|exchange|token|grant|auth(?:entication|orization)?|request|login) (?:request )?(?:has )?failed(?: with)?:? \(?(?<status>\d{3})(?=\)|[ :;,.—-]|$)/gim,
  new RegExp(`(?<![\\w.:#/-])(?<status>\\d{3}):? (?<reason>${REASON_WORDS})\\b`, 'gi'),
  new RegExp(`\\b(?<reason>${REASON_WORDS}) \\((?<status>\\d{3})\\)`, 'gi'),
  /(?<![\w.:#/-])(?<status>[45]\d\d) (?:client|server) error\b/gi,
];

const PAGE = /<(?:!doctype\s+html|html|head|body)\b/i;

/** What firewalls and their challenges say in place of an answer. */
const CHALLENGE =
  /\benable javascript and cookies\b|\bjust a moment\.\.\.|\bchecking your browser\b|^\s*error code: 10\d\d\s*$|\bcf-chl\b|\battention required! \| cloudflare\b/i;

/** Shell traces, quotes, code, and log lines that are no complaint: they mention things, they do not report them. */
const NO_REPORT: readonly RegExp[] = [
  /^(?:\++ |[>|#$%] |\/\/|\* |diff |@@ )/,
  /^(?:\[?[\dT:.,Z/+ -]{8,40}\]?\s+)?(?:\[\w[\w.:-]*\]\s*)?[[(]?(?:DEBUG|TRACE|INFO|NOTICE|VERBOSE)[\])]?[\s:|]/,
  /\blevel=["']?(?:debug|trace|info|notice)\b|^(?:debug|trace|info|note|hint|tip): /i,
  /[!=]==? ?["'`\d]|\b(?:if|elif|case|switch|while|when)\s?[([]|\b(?:grep|rg|sed|awk|assert|expect)\b|=> ?[{(]/,
  /\.(?:includes|match|test|startsWith)\(|\b(?:const|let|var) \w+ =|\b(?:def|fn|func|function) \w+\(/,
  /\bwhether\b|\bin case (?:of|the)\b/i,
  /^(?:not )?ok \d+ |^\s*[✓✔✗×✕] |\b(?:PASS(?:ED)?|SKIP(?:PED)?)\b/,
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' escape sequences begin with one
const ANSI = /\x1b\[[0-?]*[ -/]*[@-~]/g;

const NESTING_MAX = 3;

const ITEMS_MAX = 8;

// pino's and bunyan's number for warnings.
const PINO_WARN = 40;

// As much of standard error as freshd keeps; bodies of errors are shorter.
const TEXT_CHARACTERS_MAX = 32_768;
