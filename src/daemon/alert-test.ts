/**
 * The composition of `freshd alert test`: one message through each sink, as the daemon would send it.
 *
 * Rule: needs no daemon and tells none. A sink that refuses keeps no other from being tried.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '../adapters/system-clock.ts';
import type { Config } from '../config/config.ts';
import type { Fingerprint } from '../core/token.ts';
import { buildSinks, createSite } from './parts.ts';
import { type AlertMessage, type AlertSink, type LogPort, PortError } from './ports.ts';

export interface AlertTestRequest {
  readonly config: Config;
  /** Type of a sink, or its name as it is shown; null: all. */
  readonly wanted: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Where the log sink writes: what the daemon would have in its log. */
  readonly log: LogPort;
}

export interface SinkResult {
  readonly sink: string;
  /** Null: accepted. */
  readonly refusal: { readonly code: string; readonly message: string; readonly remedy: string } | null;
}

/** @returns one result for each sink that was meant, in the order of the configuration */
export async function testAlerts(request: AlertTestRequest): Promise<readonly SinkResult[]> {
  const { wanted } = request;
  const isMeant = ({ name }: AlertSink): boolean => wanted === null || name === wanted || name.startsWith(`${wanted}:`);
  const message = testMessage();
  return await Promise.all(
    sinksOf(request)
      .filter(isMeant)
      .map((sink) => trySink(sink, message)),
  );
}

async function trySink(sink: AlertSink, message: AlertMessage): Promise<SinkResult> {
  try {
    await sink.send(message);
    return { sink: sink.name, refusal: null };
  } catch (error) {
    if (!(error instanceof PortError)) throw error;
    const { code, message: text, remedy } = error;
    return { sink: sink.name, refusal: { code, message: text, remedy } };
  }
}

/** Each one is new: a receiver that drops repeats must not drop the second test. */
function testMessage(): AlertMessage {
  return {
    credential: 'test',
    alert: {
      id: `test-${randomUUID()}`,
      kind: 'test',
      at: systemClock.now().wallMs,
      episodeStartedAt: null,
      failures: 0,
      code: null,
      expiresAt: null,
      target: null,
    },
    title: 'freshd: this is a test',
    text: 'What: somebody ran freshd alert test\nNext: nothing; every credential is as it was',
    remedy: null,
  };
}

/** Only the sinks are wanted of it: nothing is refreshed, compared or spooled. */
function sinksOf({ config, environment, platform, log }: AlertTestRequest): readonly AlertSink[] {
  const fingerprint = (): Fingerprint => randomUUID() as string as Fingerprint;
  const spoolDirectory = join(config.stateDirectory, 'no-spool');
  return buildSinks(
    createSite({ config, environment, platform, fingerprint, clock: systemClock, log, spoolDirectory }),
  );
}
