/**
 * The log: one JSON record a line through pino, or aligned lines for a person at a terminal.
 *
 * Rule: logging never harms the daemon. Fields are scalars, a string that looks like a secret is replaced, a reader that
 * stalls or goes away costs records and nothing else.
 */
import { constants, openSync } from 'node:fs';
import { pino } from 'pino';
import type { LogLevel, LogPort } from '../daemon/ports.ts';
import { createLineWriter } from './line-writer.ts';
import { portErrorFrom } from './port-error.ts';
import { MARKED_SECRET } from './redact.ts';

export interface LogOptions {
  readonly level: LogLevel;
  /** Appended to, created with mode 0600; null: standard output. */
  readonly file: string | null;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
}

export interface Log extends LogPort {
  /** At reload. */
  setLevel(level: LogLevel): void;
}

/**
 * @returns a log whose records are `{level, time, event, ...fields}`; `time` is ISO 8601 in UTC
 * @throws PortError by errno (`directory_missing`, `permission_denied`, …) when the file cannot be opened
 */
export function createLog(options: LogOptions): Log {
  const lines = createLineWriter(options.file === null ? STDOUT : openLog(options.file), (count) => {
    logger.warn({ event: 'log_records_lost', count });
  });
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (json: string) => lines.write(options.pretty ? prettyLine(json) : json) },
  );
  return {
    write(level, event, fields) {
      logger[level]({ event, ...scrubbed(fields) });
    },
    setLevel(level) {
      logger.level = level;
    },
  };
}

function openLog(file: string): number {
  try {
    return openSync(file, APPEND, 0o600);
  } catch (error) {
    throw portErrorFrom(error, { path: file, doing: 'open the log' });
  }
}

type Fields = Parameters<LogPort['write']>[2];

/** Second line of defence: callers pass codes and names only, and one day one of them will not. */
function scrubbed(fields: Fields): Fields {
  const result: Record<string, Fields[string]> = {};
  for (const [key, value] of Object.entries(fields)) result[key] = typeof value === 'string' ? scrub(value) : value;
  return result;
}

function scrub(value: string): string {
  if (value.length > FIELD_CHARACTERS_MAX) return `[${value.length} characters left out]`;
  return SECRET_SHAPES.reduce((text, shape) => text.replace(shape, '[redacted]'), value);
}

const SECRET_SHAPES: readonly RegExp[] = [
  // A JWT, or what is left of one: base64url of `{"`.
  /\beyJ[\w-]{6,}(?:\.[\w-]*){0,2}/g,
  // An Authorization header's value.
  /\b(?:bearer|basic)\s+[\w.~+/=-]+/gi,
  MARKED_SECRET,
];

/** Like `02:14:07Z  warn   refresh_failed        claude  attempt=3 code=timeout`. */
function prettyLine(json: string): string {
  const { time, level, event, credential, ...rest } = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const columns = [
    `${String(time).slice(11, 19)}Z`,
    String(level).padEnd(5),
    String(event).padEnd(24),
    String(credential ?? '-').padEnd(12),
    Object.entries(rest)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => `${key}=${prettyValue(value)}`)
      .join(' '),
  ];
  return `${columns.join('  ').trimEnd()}\n`;
}

/** Quoted when it has spaces or control characters, so that a value can neither run into the next nor move the cursor. */
function prettyValue(value: unknown): string {
  return typeof value === 'string' && !/^[\w.:/@#+,~-]+$/.test(value) ? JSON.stringify(value) : String(value);
}

const STDOUT = 1;

// Non-blocking: a FIFO that nobody reads must be an error, not an open that waits for ever.
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0);

// The longest text of an alert; longer strings are a server's page or a stack trace, which do not belong here.
const FIELD_CHARACTERS_MAX = 512;
