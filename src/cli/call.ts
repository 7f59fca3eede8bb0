/**
 * One call to the daemon: finding it, asking, and turning what goes wrong into an exit code and one line.
 *
 * Rule: the answers' words are the daemon's; what they mean for a script is decided here, once.
 */
import type { ErrorBody, ErrorCode } from '../api/protocol.ts';
import { request, TransportError, type TransportResponse } from '../client/transport.ts';
import { type CommandArguments, CommandError, type CommandIo, optionValue } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { socketPlaces } from './socket-place.ts';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** What the daemon may take beyond an ordinary answer. */
  readonly waitMs?: number;
  /** Ends the call, as a temporary failure. */
  readonly signal?: AbortSignal;
}

/**
 * @returns the body of a successful answer
 * @throws CommandError with the exit code that fits
 */
export async function call<Body>(call: Call, args: CommandArguments, io: CommandIo): Promise<Body> {
  const first = await ask(call, args, io);
  const refused = first.status === 403 ? (parse(first) as Partial<ErrorBody>) : {};
  const isElsewhere = refused.error === 'operators_socket' && refused.socket !== undefined;
  const response = isElsewhere ? await askAt(refused.socket, call) : first;
  const body = parse(response);
  if (response.status >= 400) throw refusal(body as Partial<ErrorBody>, response.status);
  return body as Body;
}

/** What changes the daemon is answered elsewhere, where its socket is shared with a group; it said where. */
async function askAt(socketPath: string, { waitMs = 0, ...rest }: Call): Promise<TransportResponse> {
  try {
    return await request({ ...rest, socketPath, timeoutMs: waitMs + ANSWER_MS_MAX });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const code = error.code === 'no_daemon' ? EXIT.unavailable : TRANSPORT_EXIT[error.code];
    throw new CommandError(error.message, code, { cause: error });
  }
}

async function ask(call: Call, args: CommandArguments, io: CommandIo): Promise<TransportResponse> {
  const { waitMs = 0, ...rest } = call;
  const places = socketPlaces(args, io);
  for (const socketPath of places) {
    try {
      return await request({ ...rest, socketPath, timeoutMs: waitMs + ANSWER_MS_MAX });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      if (error.code !== 'no_daemon')
        throw new CommandError(error.message, TRANSPORT_EXIT[error.code], { cause: error });
    }
  }
  const config = optionValue(args, 'config');
  const start = config === undefined ? 'freshd run' : `freshd run --config ${config}`;
  throw new CommandError(`no daemon answers on ${places.join(' or ')}; start it with: ${start}`, EXIT.unavailable);
}

function parse(response: TransportResponse): unknown {
  try {
    return JSON.parse(response.text);
  } catch (error) {
    throw new CommandError(
      `expected JSON from the daemon, got something else (status ${response.status}); is this socket freshd's?`,
      EXIT.inputOutput,
      { cause: error },
    );
  }
}

function refusal(body: Partial<ErrorBody>, status: number): CommandError {
  const message = body.error_description ?? `the daemon answered ${status}`;
  const problems = (body.problems ?? []).map((problem) => `\n  ${problem}`).join('');
  return new CommandError(message + problems, REFUSAL_EXIT[body.error ?? 'server_error'] ?? EXIT.failure);
}

const TRANSPORT_EXIT: Readonly<Record<Exclude<TransportError['code'], 'no_daemon'>, ExitCode>> = {
  permission_denied: EXIT.permission,
  timeout: EXIT.temporaryFailure,
  cancelled: EXIT.temporaryFailure,
  answer_too_large: EXIT.inputOutput,
  broken: EXIT.inputOutput,
};

const REFUSAL_EXIT: Readonly<Record<ErrorCode, ExitCode>> = {
  invalid_request: EXIT.usage,
  request_too_large: EXIT.usage,
  not_found: EXIT.failure,
  unknown_credential: EXIT.failure,
  not_allowed: EXIT.permission,
  operators_socket: EXIT.permission,
  too_many_requests: EXIT.temporaryFailure,
  reauthorization_required: EXIT.permission,
  temporarily_unavailable: EXIT.temporaryFailure,
  min_valid_unattainable: EXIT.temporaryFailure,
  no_newer_token: EXIT.temporaryFailure,
  too_many_waiting: EXIT.temporaryFailure,
  too_many_subscribers: EXIT.temporaryFailure,
  invalid_configuration: EXIT.configuration,
  server_error: EXIT.software,
};

/** An answer takes a millisecond; a machine that swaps gets ten seconds, as a service manager's stop would give. */
const ANSWER_MS_MAX = 10_000;
