/**
 * Performs `send_alert`: puts the alert into words and hands it to every sink at once.
 *
 * Rule: delivered means that at least one sink accepted it. A sink that hangs or throws costs only its own time limit.
 */
import { alertText } from '../core/alert-text.ts';
import type { Alert } from '../core/effect.ts';
import type { Event } from '../core/event.ts';
import type { StandIn } from '../core/stand-in.ts';
import { describeBug } from './bug.ts';
import { type AlertMessage, type AlertSink, type ClockPort, type LogPort, PortError } from './ports.ts';
import { within } from './time-limit.ts';

export interface AlertsOptions {
  /** May change at a reload. */
  readonly sinks: () => readonly AlertSink[];
  /** What brings that credential back. */
  readonly remedy: (credential: string) => string;
  /** Who serves in its place, in each of its chains. */
  readonly standIns: (credential: string) => readonly StandIn[];
  readonly clock: ClockPort;
  readonly log: LogPort;
  readonly report: (credential: string, event: Event) => void;
  readonly limitMs: number;
}

/** @returns sends one alert and reports `alert_delivered` or `alert_failed`; never rejects */
export function createAlertSender(options: AlertsOptions): (credential: string, alert: Alert) => Promise<void> {
  const offer = createOffers(options);
  return async (credential, alert) => {
    const { remedy, standIns, clock } = options;
    const facts = {
      credential,
      remedy: remedy(credential),
      standIns: standIns(credential),
      now: clock.now().wallMs,
    };
    const message: AlertMessage = { credential, alert, ...alertText(alert, facts) };
    const type = (await offer(message)) ? 'alert_delivered' : 'alert_failed';
    options.report(credential, { type, kind: alert.kind, id: alert.id });
  };
}

/** @returns hands a message to every sink; resolves with whether one of them accepted it, never rejects */
export function createOffers(
  options: Pick<AlertsOptions, 'sinks' | 'log' | 'limitMs'>,
): (message: AlertMessage) => Promise<boolean> {
  return async (message) => (await Promise.all(options.sinks().map((sink) => offer(sink, message)))).includes(true);

  async function offer(sink: AlertSink, message: AlertMessage): Promise<boolean> {
    const fields = { credential: message.credential, kind: message.alert.kind, id: message.alert.id, sink: sink.name };
    try {
      const outcome = await within(
        sink.send(message).then(() => 'accepted' as const),
        options.limitMs,
      );
      if (outcome === 'accepted') return true;
      options.log.write('warn', 'alert_not_accepted', { ...fields, code: 'timed_out' });
    } catch (error) {
      if (error instanceof PortError) {
        const { code, message: detail, remedy } = error;
        options.log.write('warn', 'alert_not_accepted', { ...fields, code, detail, remedy });
      } else {
        options.log.write('error', 'internal_error', { ...fields, during: 'send_alert', ...describeBug(error) });
      }
    }
    return false;
  }
}
