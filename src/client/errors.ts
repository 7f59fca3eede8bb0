/**
 * What goes wrong for who uses the client: one class, told apart by `code`.
 *
 * Rule: the daemon's codes are passed on as they are; messages say what to do, and never hold a token.
 */
import type { ErrorBody, ErrorCode } from '../api/protocol.ts';
import { TransportError, type TransportErrorCode, type TransportResponse } from './transport.ts';

/**
 * `timeout`: no token came in the time given. `gate_full`: more jobs wait than the gate admits. `closed`: the client was
 * closed meanwhile. The others are the daemon's (docs/api.md) or say why it was not reached.
 */
export type FreshdErrorCode = ErrorCode | TransportErrorCode | 'gate_full' | 'closed';

/** Nothing changes it but what a person does. */
export const asksAPerson = (code: FreshdErrorCode): boolean =>
  code === 'reauthorization_required' || code === 'not_allowed';

export interface FreshdErrorFacts {
  readonly code: FreshdErrorCode;
  readonly credential?: string | undefined;
  /** The exact command or act that helps. */
  readonly remedy?: string | undefined;
  /** The closest configured name. */
  readonly nearest?: string | undefined;
  /** When to ask again. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class FreshdError extends Error {
  override readonly name = 'FreshdError';
  readonly code: FreshdErrorCode;
  readonly credential: string | undefined;
  readonly remedy: string | undefined;
  readonly nearest: string | undefined;
  readonly retryAfterMs: number | undefined;
  constructor(message: string, facts: FreshdErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.credential = facts.credential;
    this.remedy = facts.remedy;
    this.nearest = facts.nearest;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** A refusal of the daemon as it was meant. */
export function refusalError({ status, text }: TransportResponse): FreshdError {
  const body = parseBody(text);
  if (body?.error === undefined) {
    return new FreshdError(`expected an answer of freshd, got status ${status}; is this socket freshd's?`, {
      code: 'broken',
    });
  }
  return new FreshdError(body.error_description ?? `the daemon answered ${status}`, {
    code: body.error,
    credential: body.credential,
    remedy: body.remedy,
    nearest: body.nearest,
    retryAfterMs: body.retry_after === undefined ? undefined : body.retry_after * 1000,
  });
}

export function reachError(error: TransportError): FreshdError {
  const { code, message } = error;
  const remedy = code === 'no_daemon' ? 'freshd run' : undefined;
  return new FreshdError(remedy === undefined ? message : `${message}; start it with: ${remedy}`, {
    code,
    remedy,
    cause: error,
  });
}

/** @returns the error as one of ours; what is none goes on as it came */
export function asFreshdError(error: unknown): FreshdError {
  if (error instanceof FreshdError) return error;
  if (error instanceof TransportError) return reachError(error);
  throw error;
}

function parseBody(text: string): Partial<ErrorBody> | null {
  try {
    return JSON.parse(text) as Partial<ErrorBody> | null;
  } catch {
    // Another program's answer.
    return null;
  }
}
