/**
 * The command line in this process, against a real API server over a fake daemon.
 */
import type { CommandIo } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/main.ts';
import type { CredentialState } from '../../src/core/state.ts';
import { type Arranged, arrange } from '../api/arrange.ts';
import type { FakeDaemon } from '../api/fake-daemon.ts';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Overheard extends CommandIo {
  /** Standard output as it comes. */
  readonly heard: (text: string) => void;
}

/** A home without any configuration, and a clock that stands where the fake daemon's does. */
export async function runIn(io: Partial<Overheard>, ...argv: string[]): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const home = io.home ?? '/nonexistent/home';
  const exitCode = await runCommandLine(argv, {
    env: {},
    cwd: home,
    platform: 'linux',
    uid: 1000,
    isColourful: false,
    nowMs: () => 0,
    ...io,
    home,
    write: (text) => {
      stdout += text;
      io.heard?.(text);
    },
    complain: (line) => {
      stderr += `${line}\n`;
    },
  });
  return { exitCode, stdout, stderr };
}

export interface ArrangedCli extends Arranged {
  run(...argv: string[]): Promise<Ran>;
  runWith(io: Partial<CommandIo>, ...argv: string[]): Promise<Ran>;
}

export async function arrangeCli(): Promise<ArrangedCli> {
  const arranged = await arrange();
  const { socketPath, daemon } = arranged;
  const nowMs = (): number => daemon.now().wallMs;
  const runWith = (io: Partial<CommandIo>, ...argv: string[]): Promise<Ran> =>
    runIn({ nowMs, ...io, env: { FRESHD_SOCKET: socketPath, ...io.env } }, ...argv);
  return { ...arranged, runWith, run: (...argv) => runWith({}, ...argv) };
}

/** Of a credential that the test added. */
export function stateOf(daemon: FakeDaemon, credential: string): CredentialState {
  const state = daemon.state(credential);
  if (state === undefined) throw new Error(`the test added no ${credential}`);
  return state;
}

/** A token of which the daemon knows no end. */
export function loadWithoutExpiry(daemon: FakeDaemon, credential: string, accessToken: string): void {
  daemon.load(credential, accessToken);
  const event = daemon.events.at(-1)?.event;
  if (event?.type !== 'token_loaded' || event.grant.token === null) throw new Error(`${credential} took no token`);
  const token = { ...event.grant.token, accessToken, expiry: { kind: 'never' as const } };
  daemon.remove(credential);
  daemon.add(credential);
  daemon.dispatch(credential, { type: 'token_loaded', grant: { ...event.grant, token } });
}

export const input = (text: string) =>
  async function* () {
    yield Buffer.from(text);
  };
