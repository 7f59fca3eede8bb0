/**
 * Text: codes and statuses in the positions in which programs print them, and what kind of text it is.
 *
 * Rule: grammar, bounded on both sides, so that ids, ports, counts and remarks stay out; it judges nothing.
 */

function aadCodesIn(text: string): string[] {
  return [...text.matchAll(/(?<![A-Za-z0-9])AADSTS(\d{4,7})(?!\d)/g)].map(([, number]) => `aadsts_${number}`);
}

/** Codes in the position in which programs print them: after `error`, a status, a quote or a colon, or as all there is. */
export function codesInText(lines: readonly string[]): string[] {
  return lines.flatMap((line) => [
    ...aadCodesIn(line),
    ...[...line.matchAll(AWS_CODE)].flatMap(([, code]) => (code === undefined ? [] : [code])),
    ...[...line.matchAll(CODE_IN_LINE)].flatMap(([, code]) => (code === undefined ? [] : [code])),
  ]);
}

export function statusInText(text: string): number | null {
  for (const shape of STATUS_SHAPES) {
    for (const found of text.matchAll(shape)) {
      const status = Number(found.groups?.status);
      if (isStatus(status) && isReason(status, found.groups?.reason)) return status;
    }
  }
  return null;
}

export function isStatus(value: number): boolean {
  return Number.isInteger(value) && value >= 300 && value <= 599;
}

function isReason(status: number, reason: string | undefined): boolean {
  return reason === undefined || REASONS.get(status) === reason.toLowerCase();
}

export function linesOf(text: string): string[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
}

/** The beginning names the error, the end is what came last; what lies between is data. */
export function bounded(text: string): string {
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  const half = TEXT_CHARACTERS_MAX / 2;
  return `${text.slice(0, half)}\n${text.slice(-half)}`;
}

/** A page where an answer was due, or what a firewall says in place of one. */
export function isPage(text: string): boolean {
  return PAGE.test(text);
}

/** It is a page from its first character on, whatever else stands in it. */
export function beginsPage(text: string): boolean {
  return PAGE_START.test(text);
}

export function isChallenge(text: string): boolean {
  return CHALLENGE.test(text);
}

/** The lines that report something: no trace, no code, no chatter, and without the colours of a terminal. */
export function reportedLines(text: string): string {
  return linesOf(text.replace(ANSI, ''))
    .filter((line) => !NO_REPORT.some((shape) => shape.test(line)))
    .join('\n');
}

/** botocore, and the SDKs for Java: `An error occurred (ExpiredToken) when calling …`, `Status Code: 400, Error Code: X`. */
const AWS_CODE = /\b(?:An error occurred \(|Error Code: )([A-Z][A-Za-z]{2,60})(?=\) when calling|[,;)]|$)/g;

// Two words with an underscore at least: a single word is also a word of any sentence. What follows tells a report from a remark.
const CODE_IN_LINE =
  /(?:^|[:=]\s{0,3}|\berror\s{1,3}|\bwith\s{1,3}|\b[45]\d\d\s{1,3}|[—–-]\s{1,3}|[([])["'(\\]{0,3}([a-z]{2,20}(?:_[a-z]{2,20}){1,5})(?=$|[\s"')\]:,;.\\])(?![.:]\w|[\s"']{1,3}(?:is|are|was|were|when|if|and|or|in|on|as|for|handling|handler|errors?|cases?|tests?|paths?|branch|codes?)\b)/gi;

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

const PAGE_START = /^[\s\ufeff]*(?:<!--[\s\S]{0,512}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b/i;

/** What firewalls and their challenges say in place of an answer. */
const CHALLENGE =
  /\benable javascript and cookies\b|\bjust a moment\.\.\.|\bchecking your browser\b|^\s*error code: 10\d\d\s*$|\bcf-chl\b|\battention required! \| cloudflare\b/i;

/** Shell traces, quotes, code, and log lines that are no complaint: they mention things, they do not report them. */
const NO_REPORT: readonly RegExp[] = [
  /^(?:\++ |>(?! [Ee]rror\b)|[|#$%] |\/\/|\* |diff |@@ )/,
  /^(?:\[?[\dT:.,Z/+ -]{8,40}\]?\s+)?(?:\[\w[\w.:-]*\]\s*)?[[(]?(?:DEBUG|TRACE|INFO|NOTICE|VERBOSE)[\])]?[\s:|]/,
  /\blevel=["']?(?:debug|trace|info|notice)\b|^(?:debug|trace|info|note|hint|tip): /i,
  /[!=]==? ?["'`\d]|\b(?:if|elif|case|switch|while|when)\s?[([]|\b(?:grep|rg|sed|awk|assert|expect)\b|=> ?[{(]/,
  /\.(?:includes|match|test|startsWith)\(|\b(?:const|let|var) \w+ =|\b(?:def|fn|func|function) \w+\(/,
  /\bwhether\b|\bin case (?:of|the)\b/i,
  /^(?:not )?ok \d+ |^\s*[✓✔✗×✕] |\b(?:PASS(?:ED)?|SKIP(?:PED)?)\b/,
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' escape sequences begin with one
const ANSI = /\x1b\[[0-?]*[ -/]*[@-~]/g;

// As much of standard error as freshd keeps; bodies of errors are shorter.
const TEXT_CHARACTERS_MAX = 32_768;
