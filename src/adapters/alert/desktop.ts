/**
 * The desktop sink: a notification through the desktop's own service.
 *
 * Rule: bounded here, because the notifier may never call back; a machine without a desktop is said so in one word, quietly.
 */
import notifier from 'node-notifier';
import { type AlertMessage, type AlertSink, PortError } from '../../daemon/ports.ts';

export interface DesktopSinkOptions {
  readonly platform: NodeJS.Platform;
  /** Of this process: tells whether there is a desktop session. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A notification is shown at once or not at all: a few seconds; a session that takes longer is locked up. */
  readonly timeoutMs: number;
}

/** `send` throws PortError `no_desktop_session`, `sink_timed_out` or `sink_failed`. */
export function createDesktopSink(options: DesktopSinkOptions): AlertSink {
  return {
    name: 'desktop',
    async send(message) {
      if (!hasDesktopSession(options)) throw noDesktopSession();
      await notify(message, options.timeoutMs);
    },
  };
}

function notify(message: AlertMessage, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(timeoutMs);
    limit.addEventListener('abort', () => {
      reject(failure('sink_timed_out', `no answer within ${timeoutMs} ms`, 'look whether the session is locked up'));
    });
    notifier.notify({ title: message.title, message: message.text, wait: false }, (error) => {
      // A string here is the notifier's chatter on standard error after a success.
      if (error instanceof Error) {
        reject(
          failure('sink_failed', 'a failure', 'install notify-send (Debian: libnotify-bin), or configure another sink'),
        );
      } else {
        resolve();
      }
    });
  });
}

/** Elsewhere than on Linux and the BSDs the notifier finds the session itself. */
function hasDesktopSession({ platform, environment }: DesktopSinkOptions): boolean {
  if (platform === 'darwin' || platform === 'win32') return true;
  return SESSION_VARIABLES.some((variable) => (environment[variable] ?? '') !== '');
}

const SESSION_VARIABLES = ['DISPLAY', 'WAYLAND_DISPLAY', 'DBUS_SESSION_BUS_ADDRESS'] as const;

function noDesktopSession(): PortError {
  const error = failure('no_desktop_session', 'none', 'configure a sink that reaches you: slack, webhook or command');
  // An ordinary state of a server, not a defect: where it was thrown helps nobody.
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** Without a cause: the notifier's errors quote its whole command line. */
function failure(code: string, seen: string, remedy: string): PortError {
  return new PortError(`desktop: expected a notification in a desktop session, got ${seen}`, {
    code,
    remedy,
  });
}
