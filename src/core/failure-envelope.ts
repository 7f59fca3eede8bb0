/**
 * Envelopes: objects in which agents' tools wrap a result, and the members of them that the tool itself fills in.
 *
 * Rule: what the tool wrote is evidence, what the agent wrote is not, even within the same object. Only the whole text,
 * or whole lines of it, can be an envelope: one that is quoted within something else is a quotation.
 */
import { isLiteralObject, type LiteralObject } from './failure-literal.ts';

export interface Envelope {
  /** `api_error_status` of a result, or of an error whose text is of the tool's own making. */
  readonly status: number | null;
  /** The tool's word for the error. */
  readonly code: string | null;
  /** Where tools put a sentence of their own into the place of the agent's; null when the agent may have written it. */
  readonly message: string | null;
}

/**
 * The failure that an envelope states.
 * @param text one object, or JSON lines; the last one that states a failure counts
 * @returns null when there is no envelope, or none that states a failure
 */
export function envelopeIn(text: string): Envelope | null {
  const objects = wholeJson(text) ?? jsonLines(text);
  return objects.map(failureIn).findLast((envelope) => envelope !== null) ?? null;
}

function failureIn(object: LiteralObject): Envelope | null {
  return claudeResult(object) ?? claudeMessage(object) ?? apiError(object) ?? codexEvent(object) ?? runnerError(object);
}

/** Claude Code's `--output-format json`: `subtype` says "success" even then; `is_error` and `api_error_status` do not lie. */
function claudeResult(object: LiteralObject): Envelope | null {
  if (object.type !== 'result' || object.is_error !== true) return null;
  const status = statusOf(object.api_error_status);
  const isApiError = status !== null || object.terminal_reason === 'api_error' || object.subtype === 'success';
  return isApiError ? { status, code: null, message: stringOf(object.result) } : null;
}

/** Claude Code's transcript: an assistant's message that the tool made up from an error. */
function claudeMessage(object: LiteralObject): Envelope | null {
  if (object.isApiErrorMessage !== true) return null;
  return { status: statusOf(object.apiErrorStatus), code: stringOf(object.error), message: contentOf(object.message) };
}

/** Anthropic's error body, which its tools also print as an event; read as any body is, where bodies are read. */
function apiError(object: LiteralObject): Envelope | null {
  if (object.type !== 'error' || !isLiteralObject(object.error)) return null;
  const code = stringOf(object.error.type);
  return code === null ? null : { status: null, code, message: null };
}

/** `codex exec --json`: events of a failed turn; their text begins with the status when an API refused. */
function codexEvent(object: LiteralObject): Envelope | null {
  const message =
    object.type === 'error'
      ? object.message
      : object.type === 'turn.failed' && isLiteralObject(object.error)
        ? object.error.message
        : null;
  const text = stringOf(message);
  const status = /^unexpected status (\d{3}) /.exec(text ?? '')?.[1];
  return status === undefined ? null : { status: statusOf(Number(status)), code: null, message: text };
}

/** Runners of containers: `{"status":"error","result":null,"error":"…"}`. */
function runnerError(object: LiteralObject): Envelope | null {
  if (object.status !== 'error' || stringOf(object.result) !== null) return null;
  const text = stringOf(object.error);
  const status = /^(?:\w{1,24}: )?API Error:? (\d{3})\b/.exec(text ?? '')?.[1];
  return status === undefined ? null : { status: statusOf(Number(status)), code: null, message: text };
}

function wholeJson(text: string): readonly LiteralObject[] | null {
  const value = jsonOf(text);
  if (isLiteralObject(value)) return [value];
  return Array.isArray(value) ? value.filter(isLiteralObject) : null;
}

/** All lines or none: a line among prose is a quotation. */
function jsonLines(text: string): readonly LiteralObject[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const objects = lines.slice(-LINES_MAX).map(jsonOf).filter(isLiteralObject);
  return objects.length === Math.min(lines.length, LINES_MAX) ? objects : [];
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function statusOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 400 && value <= 599 ? value : null;
}

function stringOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The text of a message that the tool made: its parts, joined. */
function contentOf(message: unknown): string | null {
  if (!isLiteralObject(message) || !Array.isArray(message.content)) return null;
  const texts = message.content.filter(isLiteralObject).map((part) => stringOf(part.text));
  return stringOf(texts.filter((text) => text !== null).join('\n'));
}

// A transcript may be long; its end says how it ended.
const LINES_MAX = 200;
