/**
 * What runs in a realm: freshd as `main.ts` starts it, without its socket and signals.
 *
 * Rule: nothing is simulated here; the ports that need a real machine were exchanged when this was bundled.
 */
import { acquireDaemonLock } from '../../../src/adapters/kernel-lock.ts';
import { ensurePrivateDirectory } from '../../../src/adapters/private-directory.ts';
import { systemTimers } from '../../../src/api/timers.ts';
import { createTokenReader, type TokenReader } from '../../../src/api/tokens.ts';
import { createWaiting } from '../../../src/api/waiting.ts';
import type { Config } from '../../../src/config/config.ts';
import { captureEnvironment, loadConfig } from '../../../src/config/load.ts';
import { nextDeadline, step } from '../../../src/core/lifecycle.ts';
import { readToken } from '../../../src/core/view.ts';
import { assemble } from '../../../src/daemon/assemble.ts';
import type { Daemon } from '../../../src/daemon/daemon.ts';
import type { Realm } from '../realm.ts';

declare const realm: Realm;

/** A daemon that is up. */
export interface Running {
  readonly config: Config;
  readonly daemon: Daemon;
  readonly reader: TokenReader;
  readonly readToken: typeof readToken;
  /** The core as this program has it, for questions that change nothing. */
  readonly core: { readonly step: typeof step; readonly nextDeadline: typeof nextDeadline };
}

/** @throws Error when freshd would not start */
export async function start(configPath: string): Promise<Running> {
  const capture = captureEnvironment();
  const load = () => loadConfig({ path: configPath, capture });
  const loaded = await load();
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  const { config } = loaded;
  await ensurePrivateDirectory(config.stateDirectory);
  await acquireDaemonLock(config.stateDirectory);
  const log = { write: realm.log, setLevel: () => undefined };
  const daemon = await assemble(loaded, { capture, load, log, version: 'simulated' });
  await daemon.start();
  const reader = createTokenReader(daemon, createWaiting(daemon, systemTimers));
  return { config, daemon, reader, readToken, core: { step, nextDeadline } };
}
