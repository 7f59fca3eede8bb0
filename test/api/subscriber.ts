/** A subscriber that keeps what it hears, over a connection of its own. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface HeardEvent {
  readonly event: string;
  readonly id: string | null;
  readonly data: Record<string, unknown>;
}

export interface Subscriber {
  readonly socket: Socket;
  readonly events: readonly HeardEvent[];
  /** All that came, as it came. */
  text(): string;
  /** Resolves with the first event for which this holds, also one that came before. */
  until(isWanted: (event: HeardEvent) => boolean): Promise<HeardEvent>;
  synchronized(): Promise<Subscriber>;
}

/** @param options `mute`: never reads what comes */
export async function subscribe(
  socketPath: string,
  options: { query?: string; lastEventId?: string; mute?: boolean } = {},
): Promise<Subscriber> {
  const { query = '', lastEventId, mute = false } = options;
  const socket = connect(socketPath);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => socket.destroy()).setMaxListeners(0);
  await once(socket, 'connect');
  const headers = ['Host: x', 'Accept: text/event-stream', ...(lastEventId ? [`Last-Event-ID: ${lastEventId}`] : [])];
  socket.write(`GET /v1/events${query} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  let text = '';
  const look = new Set<() => void>();
  const events: HeardEvent[] = [];
  if (mute) socket.pause();
  else {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      events.splice(0, events.length, ...eventsIn(text));
      for (const each of look) each();
    });
  }
  const subscriber: Subscriber = {
    socket,
    events,
    text: () => text,
    until: (isWanted) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const found = events.find(isWanted);
          if (found === undefined) return;
          look.delete(check);
          resolve(found);
        };
        look.add(check);
        socket.once('close', () => reject(new Error(`the stream ended first: ${text}`)));
        check();
      }),
    async synchronized() {
      await subscriber.until(({ event }) => event === 'synchronized');
      return subscriber;
    },
  };
  return subscriber;
}

function eventsIn(text: string): HeardEvent[] {
  const [, body = ''] = text.split('\r\n\r\n');
  const whole = body.slice(0, body.lastIndexOf('\n\n') + 1);
  return whole.split('\n\n').flatMap((block) => {
    const fields = new Map(block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]));
    const event = fields.get('event');
    if (event === undefined) return [];
    return { event, id: fields.get('id') ?? null, data: JSON.parse(fields.get('data') ?? '') };
  });
}
