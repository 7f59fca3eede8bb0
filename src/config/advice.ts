/**
 * What is legal but unwise: said by `check` and at the first start, never a reason to refuse.
 *
 * Rule: each advice has a stable code and the form of every message: what was expected, what was seen, what to do.
 */
import { storeDefaults } from '../core/store-format.ts';
import { complain, pathText } from './complaint.ts';
import type { Config, CredentialConfig, SinkConfig } from './config.ts';
import { isReadableByOthers, modeText, statOrNull } from './file-facts.ts';
import { readMountPoints } from './mount-points.ts';
import type { Capture } from './paths.ts';
import { adviseOnProgram } from './program-advice.ts';
import type { RawConfig } from './schema.ts';

export interface Advice {
  /** Stable and greppable. */
  readonly code: string;
  /** `path: expected, got; remedy`. No secrets. */
  readonly message: string;
}

/** @param context `raw`: as it was written, to tell what the user said from what was filled in */
export async function adviseOn(
  config: Config,
  context: { readonly raw: RawConfig; readonly capture: Capture },
): Promise<readonly Advice[]> {
  const { capture, raw } = context;
  return [
    ...(config.credentials.length === 0 ? [NOTHING_TO_DO] : []),
    ...config.credentials.flatMap(retriesThatDoNotFit),
    ...config.credentials.flatMap(loginsOfOtherTools),
    ...config.credentials.flatMap(windowsOfOwnTools),
    ...(await adviseOnStores(config)),
    ...(await adviseOnEnvFiles(config, capture)),
    ...(await adviseOnPrograms(config, capture)),
    ...adviseOnReach(config, raw, capture),
    ...adviseOnSinkSecrets(raw),
  ];
}

const NOTHING_TO_DO: Advice = {
  code: 'no_credentials',
  message: `credentials: ${complain({ expected: 'at least one', seen: 'none', remedy: 'add what freshd is to keep fresh' })}`,
};

/** A margin that belongs to the store format is as it must be: the retries are fitted into it. */
function retriesThatDoNotFit({ name, policy, store }: CredentialConfig): readonly Advice[] {
  const needMs = policy.maxRetries * policy.retryIntervalMs;
  const isOfFormat = storeDefaults(store.format).ownTool?.refreshMarginMs === policy.refreshMarginMs;
  const isRefreshed = policy.method === 'script' || policy.method === 'oauth';
  if (!isRefreshed || isOfFormat || needMs <= policy.refreshMarginMs) return [];
  const path = pathText(['credentials', name, 'refreshMarginMinutes']);
  const minutes = (ms: number): string => String(Math.round(ms / 600) / 100);
  const seen = `${minutes(policy.refreshMarginMs)}, while ${policy.maxRetries} retries take ${minutes(needMs)} minutes`;
  const remedy = `they are moved closer together to fit: set ${minutes(needMs)}, or fewer or faster retries`;
  return [
    {
      code: 'retries_do_not_fit',
      message: `${path}: ${complain({ expected: `at least ${minutes(needMs)}`, seen, remedy })}`,
    },
  ];
}

/** A subscription login that its own tool obtained: whether another program may refresh it is not for freshd to say. */
function loginsOfOtherTools({ name, refresh, store }: CredentialConfig): readonly Advice[] {
  if (refresh?.kind !== 'oauth' || storeDefaults(store.format).ownTool === null) return [];
  return [
    fileAdvice('login_of_another_tool', ['credentials', name, 'refresh', 'oauth'], {
      expected: `the tool that owns the format ${store.format} to refresh it`,
      seen: 'freshd sending its refresh token',
      remedy: "some providers' terms forbid third-party use of subscription logins: read yours, or use a command",
    }),
  ];
}

/** Its tool brings the same token back until the last minutes, whenever it is asked. */
function windowsOfOwnTools({ name, policy, store, refresh }: CredentialConfig): readonly Advice[] {
  const isOwnTool = storeDefaults(store.format).ownTool !== null && refresh?.kind === 'command';
  if (policy.window === null || !isOwnTool) return [];
  return [
    fileAdvice('window_of_own_tool', ['credentials', name, 'window'], {
      expected: 'a refresh that brings a new token at any time',
      seen: `the format ${store.format}, whose tool refreshes only in the last minutes of a token`,
      remedy: 'remove it, unless your command forces a refresh',
    }),
  ];
}

async function adviseOnStores(config: Config): Promise<readonly Advice[]> {
  const each = config.credentials.map(async ({ name, store }): Promise<readonly Advice[]> => {
    const path = 'path' in store ? store.path : null;
    const found = path === null ? null : await statOrNull(path);
    if (found === null || !isReadableByOthers(found)) return [];
    return [
      fileAdvice('store_readable_by_others', ['credentials', name, 'store'], {
        expected: 'a store that only you may read',
        seen: `mode ${modeText(found)}`,
        remedy: `chmod go-rwx ${path}`,
      }),
    ];
  });
  return (await Promise.all(each)).flat();
}

async function adviseOnEnvFiles(config: Config, capture: Capture): Promise<readonly Advice[]> {
  const mountPoints = await readMountPoints(capture.platform);
  const targets = config.credentials.flatMap(({ name, publish }) =>
    publish.map((target, index) => ({ target, at: ['credentials', name, 'publish', index] as const })),
  );
  const each = targets.map(async ({ target, at }): Promise<readonly Advice[]> => {
    if (target.type !== 'envFile') return [];
    const found = await statOrNull(target.path);
    const advice: Advice[] = [];
    if (found !== null && (found.mode & 0o004) !== 0) {
      advice.push(
        fileAdvice('env_file_readable_by_all', at, {
          expected: 'a file that not everybody may read',
          seen: `mode ${modeText(found)}`,
          remedy: `chmod o-r ${target.path}`,
        }),
      );
    }
    if (mountPoints.has(target.path) && target.write === 'atomic') {
      advice.push(
        fileAdvice('env_file_is_a_mount', at, {
          expected: 'a file in a folder that is mounted',
          seen: `${target.path}, which is mounted by itself and cannot be replaced`,
          remedy: 'mount its folder instead, or set "write": "in-place"',
        }),
      );
    }
    return advice;
  });
  return (await Promise.all(each)).flat();
}

/** Each program once, however many credentials share it. */
async function adviseOnPrograms(config: Config, capture: Capture): Promise<readonly Advice[]> {
  const programs = new Map<string, string>();
  const note = (program: string, at: readonly (string | number)[]): void => {
    if (!programs.has(program)) programs.set(program, pathText(at));
  };
  for (const { name, store, refresh, publish } of config.credentials) {
    if (store.format === 'command') note(store.argv[0], ['credentials', name, 'store', 'command']);
    if (refresh?.kind === 'command') note(refresh.argv[0], ['credentials', name, 'refresh', 'command']);
    for (const [index, target] of publish.entries()) {
      if (target.type === 'hook') note(target.argv[0], ['credentials', name, 'publish', index, 'hook']);
    }
  }
  for (const [index, sink] of config.alerts.sinks.entries()) {
    if (sink.type === 'command') note(sink.argv[0], ['alerts', 'sinks', index, 'command']);
  }
  const each = [...programs].map(([program, at]) => adviseOnProgram(program, at, capture));
  return (await Promise.all(each)).flat();
}

/** The log counts only where the user chose it: what is merely filled in reaches nobody. */
function adviseOnReach(config: Config, raw: RawConfig, capture: Capture): readonly Advice[] {
  const isChosen = raw.alerts?.sinks !== undefined;
  const reaches = config.alerts.sinks.some((sink) => sink.type !== 'desktop' || hasDesktop(capture));
  if (isChosen && reaches) return [];
  return [
    fileAdvice('nothing_can_reach_you', ['alerts', 'sinks'], {
      expected: 'a sink that can reach you',
      seen: isChosen && config.alerts.sinks.length > 0 ? 'only a desktop, and there is no session here' : 'none',
      remedy: 'add one, for example { "type": "slack", "url": … }, or choose { "type": "log" }',
    }),
  ];
}

const hasDesktop = ({ env, platform }: Capture): boolean =>
  platform !== 'linux' || [env.DISPLAY, env.WAYLAND_DISPLAY, env.DBUS_SESSION_BUS_ADDRESS].some(Boolean);

function adviseOnSinkSecrets(raw: RawConfig): readonly Advice[] {
  return (raw.alerts?.sinks ?? []).flatMap((sink, index) =>
    Object.entries(sink)
      .filter(([key, value]) => SINK_SECRETS[sink.type].includes(key) && typeof value === 'string')
      .filter(([, value]) => !String(value).includes('$') && !/^http:/i.test(String(value)))
      .map(([key]) =>
        fileAdvice('secret_in_configuration', ['alerts', 'sinks', index, key], {
          expected: `\${env:NAME} or \${file:PATH}`,
          seen: 'the secret itself (not shown)',
          remedy: 'whoever has it can send in your name: keep it out of this file',
        }),
      ),
  );
}

/** What lets others send; an http address leads to this machine only. */
const SINK_SECRETS: Readonly<Record<SinkConfig['type'], readonly string[]>> = {
  log: [],
  desktop: [],
  command: [],
  webhook: ['url', 'secret'],
  slack: ['url'],
  discord: ['url'],
  telegram: ['botToken'],
  ntfy: ['topic', 'token'],
  sentry: ['dsn'],
};

const fileAdvice = (
  code: string,
  at: readonly (string | number)[],
  complaint: Parameters<typeof complain>[0],
): Advice => ({ code, message: `${pathText(at)}: ${complain(complaint)}` });
