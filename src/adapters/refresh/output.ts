/**
 * What a script printed, made fit to be judged (stdout) or shown (stderr).
 *
 * Rule: stdout is judged whole or not at all; stderr is for people, and decides only where the core knows the tool's words.
 */
import type { ScriptOutput } from '../../core/classify.ts';
import { redact } from '../redact.ts';

/** Decodes stdout. The judgement itself is the core's. */
export function decodeStdout(bytes: Uint8Array): ScriptOutput {
  const text = textOf(bytes)?.trim();
  if (text === undefined) return { kind: 'binary' };
  if (text === '') return { kind: 'empty' };
  const json = objectIn(text);
  return json === null ? { kind: 'text', text } : { kind: 'json', json };
}

/** @returns undefined for what is not UTF-8, or has control characters that no text has */
function textOf(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  return BINARY.test(text) ? undefined : text;
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The line of stderr that tells most: the last one that is neither blank nor part of a stack trace.
 * @param secrets what this run was given, or answered
 * @returns redacted, without control characters, at most `charactersMax` long; null when there is none
 */
export function lastUsefulLine(stderr: string, secrets: readonly string[], charactersMax: number): string | null {
  // The whole text at once: a secret may run over several lines.
  const lines = redact(stderr.replace(ANSI, ''), secrets)
    .split(/[\r\n]+/)
    .map((line) => line.replace(/\p{Cc}+/gu, ' '))
    .filter((line) => line.trim() !== '');
  const line = lines.findLast((candidate) => !STACK_TRACE.test(candidate)) ?? lines.at(-1);
  return line === undefined ? null : clip(line.trim(), charactersMax);
}

export function clip(text: string, charactersMax: number): string {
  const characters = [...text];
  return characters.length <= charactersMax ? text : `${characters.slice(0, charactersMax - 1).join('')}…`;
}

/** The strings of a JSON answer that may be secrets: every one that is long enough to be a token. */
export function secretsIn(output: ScriptOutput): string[] {
  if (output.kind === 'text') return output.text.split(/\s+/).filter((word) => word.length >= WORD_CHARACTERS_MIN);
  if (output.kind !== 'json') return [];
  return Object.entries(output.json).flatMap(([name, value]) =>
    typeof value === 'string' && SECRET_MEMBER.test(name) ? [value] : [],
  );
}

// Tab, line feed and carriage return are text; all other C0 characters are not.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const BINARY = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals' escape sequences begin with one
const ANSI = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))/g;

// Node's and Python's: frames are indented, and Node closes with its version.
const STACK_TRACE = /^(?:\s+at |\s+File "|Node\.js v\d)/;

const SECRET_MEMBER = /token|secret|assertion|password|code$/i;

// A bare token is one long word; the words of a message are shorter.
const WORD_CHARACTERS_MIN = 16;
