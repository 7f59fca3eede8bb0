/**
 * What kind of world a seed makes: credentials, servers, limits, and how much goes wrong.
 *
 * Rule: plain data, drawn once; what happens in it in which order is not decided here.
 */
import type { Random } from './random.ts';
import type { GrantRules } from './servers/grants.ts';
import { forecast, type Spell } from './servers/weather.ts';

/** How a credential is refreshed, and by whom. */
export type Method =
  /** freshd sends the refresh token itself. */
  | 'oauth'
  /** A script is given the token, and prints the answer. */
  | 'script'
  /** A script makes the tool that owns the store refresh it. */
  | 'tool'
  /** Another program refreshes; freshd only watches. */
  | 'follow';

export interface CredentialPlan {
  readonly name: string;
  readonly method: Method;
  readonly rules: GrantRules;
  readonly weather: readonly Spell[];
  readonly serverAheadMs: number;
  readonly repeatsToken: boolean;
  readonly storePath: string;
  readonly envPath: string;
  readonly tokenPath: string;
  readonly variable: string;
  /** How often another program refreshes behind freshd's back; null: none does. */
  readonly foreignMeanMs: number | null;
  /** How often something is done to the store: an old copy restored, its tokens blanked. */
  readonly tamperMeanMs: number | null;
  readonly consumerMeanMs: number;
  /** Share of the consumer's reads that wait for a token. */
  readonly patience: number;
  /** Share of its reports of a 401 that are mistaken. */
  readonly falseReports: number;
}

/** Some of the credentials, the most preferred first. */
export interface ChainPlan {
  readonly name: string;
  readonly members: readonly string[];
  readonly settleMs: number;
  readonly tokenPath: string;
  readonly consumerMeanMs: number;
}

export type DiskCode = 'ENOSPC' | 'EROFS' | 'EIO' | 'EACCES' | 'EMFILE';

export interface DiskSpell {
  readonly fromMs: number;
  readonly toMs: number;
  readonly code: DiskCode;
  /** Where it hits: all paths that begin so. */
  readonly prefix: string;
  readonly share: number;
}

export interface Scenario {
  readonly seed: number;
  readonly endMs: number;
  readonly credentials: readonly CredentialPlan[];
  /** Null: each is read for itself alone. */
  readonly chain: ChainPlan | null;
  readonly config: object;
  readonly disk: readonly DiskSpell[];
  /** Dangerous moments between two crashes, on average; null: no crash but those by time. */
  readonly crashMean: number | null;
  readonly crashMeanMs: number;
  /** Between two suspends, stalls or set clocks. */
  readonly clockMeanMs: number | null;
  /** How long a person takes to log in again. */
  readonly personMeanMs: number;
  /** Every life of the daemon has this pid, as in a container; null: another each time. */
  readonly fixedPid: number | null;
}

export function drawScenario(seed: number, days: number, random: Random): Scenario {
  const endMs = days * DAY_MS;
  const severity = random.pick([0, 0.05, 0.2, 0.5]);
  // Few, and calm between refreshes: what a seed costs beside its faults and crashes buys another seed.
  const count = 1 + random.below(3);
  const credentials = Array.from({ length: count }, (_, nth) =>
    drawCredential(NAMES[nth] ?? 'z', { endMs, severity, random: random.stream(`credential ${nth}`) }),
  );
  const chain = drawChain(credentials, random.stream('chains'));
  return {
    seed,
    endMs,
    credentials,
    chain,
    config: drawConfig(credentials, chain, random.stream('config')),
    disk: drawDisk(endMs, random.stream('disk spells')),
    crashMean: random.chance(0.15) ? null : random.logarithmic(60, 6_000),
    crashMeanMs: random.logarithmic(2 * HOUR_MS, 48 * HOUR_MS),
    clockMeanMs: random.chance(0.4) ? random.logarithmic(2 * HOUR_MS, 24 * HOUR_MS) : null,
    personMeanMs: random.logarithmic(10 * MINUTE_MS, 12 * HOUR_MS),
    fixedPid: random.chance(0.3) ? 1 : null,
  };
}

interface Drawing {
  readonly endMs: number;
  readonly severity: number;
  readonly random: Random;
}

function drawCredential(name: string, { endMs, severity, random }: Drawing): CredentialPlan {
  const method = random.pick<Method>(['oauth', 'oauth', 'oauth', 'script', 'tool', 'follow']);
  const isTampered = random.chance(0.25);
  const usesForeign = method === 'follow' || random.chance(0.25);
  return {
    name,
    method,
    rules: {
      rotates: random.chance(0.8),
      reuseGraceMs: random.chance(0.4) ? random.between(20_000, 300_000) : 0,
      lifeMs: drawLife(random),
    },
    weather: forecast(endMs, severity, random.stream('weather')),
    serverAheadMs: random.chance(0.15) ? random.between(-6, 6) * HOUR_MS : random.between(-20_000, 20_000),
    repeatsToken: random.chance(0.5),
    storePath: `/home/user/${name}/token.json`,
    envPath: random.chance(0.5) ? '/srv/shared/.env' : `/srv/${name}/.env`,
    tokenPath: `${STATE}/run/tokens/${name}`,
    variable: `TOKEN_${name.toUpperCase()}`,
    foreignMeanMs: usesForeign ? random.logarithmic(10 * MINUTE_MS, 12 * HOUR_MS) : null,
    tamperMeanMs: isTampered ? random.logarithmic(3 * HOUR_MS, 24 * HOUR_MS) : null,
    consumerMeanMs: random.logarithmic(5 * MINUTE_MS, 40 * MINUTE_MS),
    patience: random.pick([0, 0.3, 1]),
    falseReports: random.pick([0, 0, 0.001, 0.02]),
  };
}

function drawLife(random: Random): number {
  const luck = random.next();
  if (luck < 0.01) return random.logarithmic(30_000, 5 * MINUTE_MS);
  return luck < 0.3 ? random.logarithmic(10 * MINUTE_MS, HOUR_MS) : random.logarithmic(HOUR_MS, 8 * HOUR_MS);
}

function drawChain(credentials: readonly CredentialPlan[], random: Random): ChainPlan | null {
  if (credentials.length < 2 || !random.chance(0.4)) return null;
  const names = credentials.map(({ name }) => name);
  return {
    name: CHAIN,
    members: random.chance(0.5) ? names : names.toReversed(),
    settleMs: random.pick([500, 10_000, 120_000]),
    tokenPath: `${STATE}/run/tokens/${CHAIN}`,
    consumerMeanMs: random.logarithmic(2 * MINUTE_MS, 20 * MINUTE_MS),
  };
}

function drawConfig(credentials: readonly CredentialPlan[], chain: ChainPlan | null, random: Random): object {
  const round = (value: number): number => Math.round(value * 1000) / 1000;
  return {
    version: 1,
    stateDirectory: STATE,
    maxConcurrentRefreshes: random.pick([1, 2, 4]),
    defaults: {
      refreshMarginMinutes: round(random.logarithmic(0.5, 60)),
      retryIntervalMinutes: round(random.logarithmic(0.3, 10)),
      maxRetries: random.below(7),
      activeRecoveryIntervalMinutes: round(random.logarithmic(5, 60)),
      refreshTimeoutSeconds: round(random.logarithmic(3, 30)),
      killGraceSeconds: random.pick([1, 5]),
      minRefreshIntervalSeconds: round(random.logarithmic(2, 30)),
      maxAttemptsPerHour: random.pick([10, 30, 60]),
      settleSeconds: random.pick([0.5, 2, 5]),
      storeCheckSeconds: round(random.logarithmic(300, 1_800)),
      rejectionHoldSeconds: random.pick([20, 60]),
      ...(chain === null ? {} : { chainSettleSeconds: chain.settleMs / 1000 }),
    },
    credentials: Object.fromEntries(credentials.map((plan) => [plan.name, configOf(plan)])),
    ...(chain === null ? {} : { chains: { [chain.name]: chain.members } }),
    alerts: { sinks: [{ type: 'log' }] },
  };
}

function configOf({ name, method, rules, storePath, envPath, variable }: CredentialPlan): object {
  const grace = rules.reuseGraceMs === 0 ? {} : { reuseGraceSeconds: rules.reuseGraceMs / 1000 };
  return {
    store: { format: 'token-response', path: storePath },
    refresh: refreshOf(name, method),
    rotates: rules.rotates,
    ...(method === 'follow' ? {} : grace),
    publish: [{ envFile: envPath, variable }],
  };
}

function refreshOf(name: string, method: Method): object {
  switch (method) {
    case 'oauth':
      return {
        oauth: { tokenEndpoint: `https://${name}.example/token`, clientId: 'simulated', connectTimeoutSeconds: 5 },
      };
    case 'script':
      return { command: [`${SCRIPTS}/${name}`], input: 'token' };
    case 'tool':
      return { command: [`${SCRIPTS}/${name}`], result: 'store' };
    case 'follow':
      return { follow: true };
  }
}

function drawDisk(endMs: number, random: Random): readonly DiskSpell[] {
  if (random.chance(0.5)) return [];
  const spells: DiskSpell[] = [];
  for (let at = random.exponential(8 * HOUR_MS); at < endMs; at += random.exponential(8 * HOUR_MS)) {
    const toMs = at + random.logarithmic(1_000, 2 * HOUR_MS);
    const code = random.pick<DiskCode>(['ENOSPC', 'ENOSPC', 'EROFS', 'EIO', 'EACCES', 'EMFILE']);
    const prefix = random.pick(['/', STATE, `${STATE}/journal`, '/home/user', '/srv']);
    spells.push({ fromMs: at, toMs, code, prefix, share: random.pick([1, 1, 0.3]) });
  }
  return spells;
}

export const STATE = '/var/lib/freshd';
export const SCRIPTS = '/opt/scripts';
export const CONFIG_PATH = '/etc/freshd/config.json';

const CHAIN = 'chain';
const NAMES: readonly string[] = ['a', 'b', 'c'];
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
