/**
 * One subscription over one connection: bytes in, events out, until it ends.
 *
 * Rule: no retries and no opinion about events. Everything that ends it, silence included, ends it once, with the reason.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import { connect } from 'node:net';
import { HEARTBEAT_SECONDS } from '../api/protocol.ts';
import { FreshdError, reachError, refusalError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { parseResponse, transportTrouble } from './transport.ts';

export interface StreamOptions {
  readonly socketPath: string;
  /** With its query. */
  readonly path: string;
  readonly lastEventId: string | null;
  readonly runtime: Runtime;
  /** In the order in which they came; `id` is that of the last event that had one. */
  readonly onEvent: (event: StreamEvent) => void;
  /** Called once. */
  readonly onEnd: (reason: FreshdError) => void;
}

export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string | null;
}

export interface EventStream {
  close(): void;
  /** Whether it keeps the process alive. */
  ref(): void;
  unref(): void;
}

export function openEventStream(options: StreamOptions): EventStream {
  const { socketPath, path, lastEventId, runtime, onEnd } = options;
  const socket = connect(socketPath);
  const parse = createEventParser(options.onEvent);
  let isOver = false;
  let head: string | null = '';
  let silence = runtime.after(SILENCE_MS_MAX, beSilent);
  let isRef = true;
  let heardAtMs = runtime.nowMs();

  function end(reason: FreshdError): void {
    if (isOver) return;
    isOver = true;
    silence.cancel();
    socket.destroy();
    onEnd(reason);
  }

  function beSilent(): void {
    const heardAgoMs = runtime.nowMs() - heardAtMs;
    if (heardAgoMs >= SILENCE_MS_MAX) {
      end(broken(`nothing came from ${socketPath} for ${SILENCE_MS_MAX / 1000} s`));
      return;
    }
    silence = runtime.after(SILENCE_MS_MAX - Math.max(0, heardAgoMs), beSilent);
    if (!isRef) silence.unref();
  }

  /** @returns what of it belongs to the stream; null while there is no stream yet */
  function beyondHead(text: string): string | null {
    if (head === null) return text;
    head += text;
    const headEnd = head.indexOf('\r\n\r\n');
    if (!/^HTTP\/1\.[01] 200 /.test(head)) return null;
    if (headEnd === -1) return null;
    const rest = head.slice(headEnd + 4);
    head = null;
    return rest;
  }

  socket.setEncoding('utf8').on('data', (chunk) => {
    heardAtMs = runtime.nowMs();
    const text = beyondHead(String(chunk));
    const trouble = text === null || isOver ? null : troubleIn(parse, text);
    if (trouble !== null) end(broken(trouble));
    else if ((head?.length ?? 0) > HEAD_LENGTH_MAX) end(broken(`the answer from ${socketPath} is not freshd's`));
  });
  socket.on('end', () => {
    const refusal = head === null ? null : parseResponse(Buffer.from(head));
    end(refusal === null ? broken(`the connection to ${socketPath} ended`) : refusalError(refusal));
  });
  socket.on('error', (error: Error & { code?: string }) => end(reachError(transportTrouble(error, socketPath))));
  socket.on('close', () => end(broken(`the connection to ${socketPath} ended`)));
  const resume = lastEventId === null ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
  socket.write(`GET ${path} HTTP/1.0\r\nAccept: text/event-stream\r\n${resume}\r\n`);

  return {
    close: () => end(new FreshdError('the client was closed', { code: 'closed' })),
    ref() {
      isRef = true;
      socket.ref();
      silence.ref();
    },
    unref() {
      isRef = false;
      socket.unref();
      silence.unref();
    },
  };
}

const broken = (message: string): FreshdError => new FreshdError(message, { code: 'broken' });

/** @returns what is wrong with the text; null: nothing, and its events are told */
function troubleIn(parse: ReturnType<typeof createEventParser>, text: string): string | null {
  try {
    return parse(text) ? null : 'an event is larger than any the daemon sends';
  } catch (error) {
    // Somebody else's words must not end the program of whoever listens.
    if (error instanceof SyntaxError) return 'an event is no JSON, and so none of the daemon';
    throw error;
  }
}

/** @returns takes text; false when what is not yet a whole event has grown too large */
function createEventParser(onEvent: (event: StreamEvent) => void): (text: string) => boolean {
  let rest = '';
  let id: string | null = null;
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let type = 'message';
      const data: string[] = [];
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        const field = colon === -1 ? line : line.slice(0, colon);
        const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
        if (field === 'event') type = value;
        else if (field === 'data') data.push(value);
        else if (field === 'id') id = value;
      }
      if (data.length > 0) onEvent({ type, data: data.join('\n'), id });
    }
    return rest.length <= EVENT_LENGTH_MAX;
  };
}

/** Two heartbeats and a half: a daemon that is stopped, or a machine that slept, is noticed; a busy one is not. */
const SILENCE_MS_MAX = HEARTBEAT_SECONDS * 2_500;

/** A refusal has a kilobyte or two. */
const HEAD_LENGTH_MAX = 64 * 1024;

/** Tokens have kilobytes. */
const EVENT_LENGTH_MAX = 4 * 1024 * 1024;
