/**
 * One authorization server: takes a request, commits or does not, and says what it answers and when.
 *
 * Rule: whatever it does to a family is done in `take`, at the moment at which the request counts; the answer's way back, and
 * its loss, belong to the network.
 */
import type { Random } from '../random.ts';
import { type Answer, CONFIGURATION_ERRORS, granted, limited, oddlyGranted, refused, wrong } from './answers.ts';
import { type GrantRules, Grants, type Sender, type Spending } from './grants.ts';
import { type Spell, type WeatherKind, weatherAt } from './weather.ts';

export interface ServerOptions {
  readonly name: string;
  readonly rules: GrantRules;
  readonly weather: readonly Spell[];
  /** How far its `Date` is ahead of the world. */
  readonly aheadMs: number;
  /** Says the refresh token again although it did not change. */
  readonly repeatsToken: boolean;
  readonly random: Random;
  readonly now: () => number;
  /** Epoch ms of the world. */
  readonly wallMs: () => number;
}

export interface Request {
  readonly refreshToken: string;
  readonly by: Sender;
}

export interface Response {
  readonly answer: Answer;
  /** Set when a refresh token was spent for it. */
  readonly spending: Spending | null;
}

/** Told of each request that is judged, with what came of it. */
export type ServerListener = (server: AuthorizationServer, request: Request, response: Response) => void;

export class AuthorizationServer {
  readonly name: string;
  readonly grants: Grants;
  /** World time until which it told somebody to stay away. */
  limitedUntil = 0;
  /** Access tokens of whose end it said nothing, or nothing true. */
  readonly oddTokens = new Set<string>();
  readonly #options: ServerOptions;
  readonly #listeners: ServerListener[] = [];

  constructor(options: ServerOptions) {
    this.name = options.name;
    this.#options = options;
    this.grants = new Grants(options.rules, options.random.stream('tokens'));
  }

  onRequest(listener: ServerListener): void {
    this.#listeners.push(listener);
  }

  weather(): Spell {
    return weatherAt(this.#options.weather, this.#options.now());
  }

  /** Nobody can say rightly when the access token ends that was given last. */
  distrustNewest(): void {
    const newest = this.grants.newestAccess();
    if (newest !== null) this.oddTokens.add(newest.text);
  }

  /** How long it works on a request, before and after it counts. */
  pace(): { readonly beforeMs: number; readonly afterMs: number } {
    const { random } = this.#options;
    const usual = (): number => random.between(5, 150);
    if (this.weather().kind !== 'slow') return { beforeMs: usual(), afterMs: usual() };
    const slow = random.logarithmic(1_000, 200_000);
    return random.chance(0.5) ? { beforeMs: slow, afterMs: usual() } : { beforeMs: usual(), afterMs: slow };
  }

  /** The moment at which the request counts. */
  take(request: Request): Response {
    const response = this.#judge(request, this.weather().kind);
    for (const listener of this.#listeners) listener(this, request, response);
    return { ...response, answer: this.#dated(response.answer) };
  }

  #judge(request: Request, weather: WeatherKind): Response {
    const { random, now } = this.#options;
    if (weather === 'limiting') return { answer: this.#limited(), spending: null };
    if (weather === 'misconfigured') {
      return { answer: refused(random.pick(CONFIGURATION_ERRORS), random.pick([400, 401])), spending: null };
    }
    const isWrong = weather === 'wrong';
    if (isWrong && random.chance(0.5)) return { answer: wrong(false, random), spending: null };
    const isOdd = weather === 'odd';
    const lifeMs = isOdd && random.chance(0.2) ? 1 : undefined;
    const outcome = this.grants.refresh(request.refreshToken, request.by, now(), lifeMs);
    if (outcome.kind === 'refused') return { answer: refused('invalid_grant'), spending: null };
    const { grant, spending } = outcome;
    if (isWrong) return { answer: wrong(true, random), spending };
    if (isOdd) this.oddTokens.add(grant.access.text);
    if (isOdd) return { answer: oddlyGranted(grant, random), spending };
    const repeated =
      this.#options.repeatsToken && grant.refresh === null ? { refresh_token: request.refreshToken } : {};
    return { answer: granted(grant, repeated), spending };
  }

  #limited(): Answer {
    const { random, now, wallMs, aheadMs } = this.#options;
    const left = this.limitedUntil - now();
    const waitMs = left > 0 ? left : random.logarithmic(5_000, 2 * 3_600_000);
    this.limitedUntil = now() + waitMs;
    const seconds = Math.ceil(waitMs / 1000);
    return limited(
      random.pick<string | null>([String(seconds), new Date(wallMs() + aheadMs + seconds * 1000).toUTCString(), null]),
    );
  }

  #dated(answer: Answer): Answer {
    const { wallMs, aheadMs } = this.#options;
    return { ...answer, headers: { ...answer.headers, date: new Date(wallMs() + aheadMs).toUTCString() } };
  }
}
