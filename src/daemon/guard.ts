/**
 * The process itself, before it holds a single token: nobody may look into it, and it knows who asks.
 *
 * Rule: composes like main.ts. What cannot be had is said in the log; what was demanded and cannot be had refuses to start.
 */
import inspector from 'node:inspector';
import { loadNative } from '../adapters/native/native.ts';
import { createPeers, readerAbilities } from '../adapters/native/peers.ts';
import { isAllowed } from '../adapters/refresh/environment.ts';
import type { AccessSources } from '../api/server.ts';
import { type LoadResult, scrubEnvironment } from '../config/load.ts';
import type { Capture } from '../config/paths.ts';
import { type AccessRules, createAccessRules, refuseIdleRules } from './access-rules.ts';
import { asksForInspector, findOpening } from './opening.ts';
import type { LogPort } from './ports.ts';
import type { NativeSupport, ReaderAbilities } from './system-ports.ts';

export interface Guard {
  readonly support: NativeSupport;
  readonly rules: AccessRules;
  readonly access: AccessSources;
  /** Null, or why a service must not run as it was started: somebody could look into it. */
  readonly opening: string | null;
  /** Refuses a configuration with rules about readers that cannot be kept here. */
  admit(loaded: LoadResult): Promise<LoadResult>;
  /** Closes the process to debuggers and dumps, as far as the system allows, and says how far that is. */
  protect(log: LogPort): void;
}

/** The first thing of all: a signal that opens the inspector may come at any moment. */
export async function createGuard({ env, platform }: Pick<Capture, 'env' | 'platform'>): Promise<Guard> {
  let report: (() => void) | null = null;
  // Without a listener this signal opens Node's inspector, and with it every token, to whoever may connect.
  process.on('SIGUSR1', () => report?.());
  const started = { env, execArgv: process.execArgv, pid: process.pid };
  // Opened by a signal that came before that listener.
  if (!asksForInspector(started) && inspector.url() !== undefined) inspector.close();
  scrubEnvironment(isAllowed);

  const support = await loadNative({ platform });
  const rules = createAccessRules();
  const peers = support.isAvailable ? createPeers(support.native) : null;
  let abilities: Promise<ReaderAbilities> | null = null;
  return {
    support,
    rules,
    access: { peers, ruleOf: rules.ruleOf, onRulesChanged: rules.onChange },
    opening: findOpening(started),
    async admit(loaded) {
      if (!loaded.ok || loaded.config.credentials.every(({ allow }) => allow === null)) return loaded;
      abilities ??= readerAbilities(support);
      return refuseIdleRules(loaded, await abilities);
    },
    protect(log) {
      report = () => log.write('info', 'signal_ignored', { signal: 'SIGUSR1' });
      if (!support.isAvailable) {
        log.write('warn', 'process_not_protected', { detail: support.why });
        return;
      }
      const { notDumpable, noCoreFiles } = support.native.forbidDumps();
      log.write('info', 'process_protected', { not_dumpable: notDumpable, no_core_files: noCoreFiles });
    },
  };
}
