/**
 * SIGKILLs in the middle of refreshes. `FRESHD_KILLS=200` asks for more of them in each test, `FRESHD_KILL_SEED` for other moments.
 *
 * Each kill comes at a moment drawn from the length of a refresh. A spent refresh token may be sent again only while no disk
 * of ours holds its successor; a grant that is lost so is reported as a lost response, and none is lost in any other way.
 */
import { once } from 'node:events';
import { setTimeout as pass } from 'node:timers/promises';
import { describe, type TestContext, test } from 'vitest';
import { jitter } from '../../src/core/schedule.ts';
import { configure, demo, is } from './arrange.ts';
import { type Ledger, refreshTokensOnDisk, startLedger } from './ledger.ts';
import { createWorkshop, type LogRecord, type RunningDaemon, type Workshop } from './workshop.ts';

const KILLS = Number(process.env.FRESHD_KILLS ?? 20);
const SEED = Number(process.env.FRESHD_KILL_SEED ?? 1);
// A refusal is believed after three seconds of looking at the store.
const LIMIT_MS = 60_000 + KILLS * 10_000;
const PACE = {
  minRefreshIntervalSeconds: 0.1,
  settleSeconds: 0.1,
  retryIntervalMinutes: 0.01,
  refreshTimeoutSeconds: 8,
};

class Killing {
  /** Kills between the start of a refresh and its end. */
  inside = 0;
  /** Kills that left no disk of ours with what the server takes next. */
  unrecorded = 0;
  /** Spent refresh tokens that arrived at the server: with one successor, which is not on our disk; and all others. */
  readonly replays = { unrecorded: 0, wrong: 0 };
  /** By family: codes of the alerts that asked for a person while it was in use. */
  readonly alerts: unknown[][] = [[]];
  readonly #ledger: Ledger;
  readonly #workshop: Workshop;
  /** An alert is said again when a kill came before it was noted as sent. */
  readonly #told = new Set<unknown>();
  /** From there to the end of a refresh, in a daemon that has just begun. */
  readonly #leftMs = { started: Number.POSITIVE_INFINITY, decided: Number.POSITIVE_INFINITY };

  constructor(ledger: Ledger, workshop: Workshop) {
    this.#ledger = ledger;
    this.#workshop = workshop;
    ledger.onDecided(({ successors }) => {
      if (successors > 0) this.replays[successors > 1 || this.#isRecorded() ? 'wrong' : 'unrecorded'] += 1;
    });
  }

  /** A life of which the first refresh comes to its end: how long that takes here and now, at best. */
  async measure(): Promise<void> {
    const decided = this.#decision();
    const daemon = this.#workshop.start();
    const started = await this.#heard(daemon, is('refresh_started'));
    const ended = await this.#heard(daemon, is('refresh_succeeded'));
    await daemon.end('SIGTERM');
    const leftMs = this.#leftMs;
    leftMs.started = Math.min(leftMs.started, timeOf(ended) - timeOf(started) + CLOSING_MS);
    leftMs.decided = Math.min(leftMs.decided, timeOf(ended) - (await decided) + CLOSING_MS);
  }

  /** A life that is ended at the drawn moment of its first refresh: of the whole, or of what follows the server's commit. */
  async kill(run: number): Promise<void> {
    const decided = this.#decision();
    const daemon = this.#workshop.start();
    const closed = once(daemon.process, 'close');
    await this.#heard(daemon, is('refresh_started'));
    const isAfterCommit = run % 2 === 1;
    if (isAfterCommit) await Promise.race([decided, this.#listening(daemon)]);
    await pass(this.#leftMs[isAfterCommit ? 'decided' : 'started'] * jitter(SEED, run));
    if ((await daemon.end('SIGKILL')) !== 'SIGKILL') throw new Error(`the daemon ended by itself: ${daemon.stderr()}`);
    if (!this.#isRecorded()) this.unrecorded += 1;
    // All that it had said.
    await closed;
    for (const record of daemon.records) this.#hear(record);
    if (daemon.records.findLast(({ to }) => to !== undefined)?.to === 'refreshing') this.inside += 1;
  }

  /** The last life, in peace: whatever the kills left must come to a good end. */
  async recover(): Promise<void> {
    const daemon = this.#workshop.start();
    await this.#heard(daemon, is('refresh_succeeded'));
    await daemon.end('SIGTERM');
  }

  /** When the server grants the next request, epoch ms. */
  #decision(): Promise<number> {
    return new Promise((resolve) => this.#ledger.onDecided(({ isGranted }) => isGranted && resolve(Date.now())));
  }

  #isRecorded(): boolean {
    return refreshTokensOnDisk(this.#workshop).includes(this.#ledger.current());
  }

  async #heard(daemon: RunningDaemon, isWanted: (record: LogRecord) => boolean): Promise<LogRecord> {
    for (;;) {
      const found = await daemon.until((record) => isWanted(record) || this.#isNews(record));
      this.#hear(found);
      if (isWanted(found)) return found;
    }
  }

  /** Logs in again, should it be asked to, as long as the daemon lives. */
  async #listening(daemon: RunningDaemon): Promise<void> {
    await this.#heard(daemon, () => false).catch(() => undefined);
  }

  #isNews({ event, kind, id }: LogRecord): boolean {
    return event === 'alert' && kind === 'reauthorization_required' && !this.#told.has(id);
  }

  /** Whoever is asked to log in does. */
  #hear(record: LogRecord): void {
    if (!this.#isNews(record)) return;
    this.#told.add(record.id);
    this.alerts.at(-1)?.push(record.code);
    this.alerts.push([]);
    this.#ledger.seed(this.#workshop);
  }
}

const timeOf = ({ time }: LogRecord): number => Date.parse(String(time));

interface Variant {
  readonly context: TestContext;
  readonly reuseGraceSeconds: number;
  readonly isNative: boolean;
  /** How long the answer is under way. */
  readonly answerMs: number;
}

async function killOften({ context, reuseGraceSeconds, isNative, answerMs }: Variant) {
  const workshop = createWorkshop(context.onTestFinished);
  const ledger = await startLedger({ lifeSeconds: 2, reuseGraceSeconds });
  const { server } = ledger;
  context.onTestFinished(() => server.close());
  server.delay({ milliseconds: answerMs, when: 'after_commit' });
  const native = { refresh: { oauth: { tokenEndpoint: server.tokenEndpoint, clientId: 'demo' } } };
  configure(workshop, { demo: demo(server, isNative ? native : {}) }, PACE);
  ledger.seed(workshop);
  const killing = new Killing(ledger, workshop);
  for (let life = 0; life < LIVES_MEASURED; life += 1) await killing.measure();
  for (let run = 0; run < KILLS; run += 1) await killing.kill(run);
  await killing.recover();
  const { inside, unrecorded, replays, alerts } = killing;
  const lost = server.state().families.map(({ revoked }) => revoked);
  console.log(
    `kills: ${KILLS}, in the middle of a refresh: ${inside}, between commit and record: ${unrecorded}; ` +
      `replays: ${replays.unrecorded} + ${replays.wrong}, families lost: ${lost.filter(Boolean).length}, reported: ${alerts.flat().length}`,
  );
  return { inside, unrecorded, replays, alerts, lost };
}

describe.concurrent('the daemon is killed in the middle of refreshes', { timeout: LIMIT_MS }, () => {
  test('F32 F33: no grant is lost where the server grants a reuse', async (context) => {
    const { replays, alerts, lost } = await killOften({
      context,
      reuseGraceSeconds: GRACE_SECONDS,
      isNative: true,
      answerMs: 10,
    });
    context.expect({ lost, alerts, wrong: replays.wrong }).toEqual({ lost: [false], alerts: [[]], wrong: 0 });
    context.expect(replays.unrecorded).toBeGreaterThan(0);
  });

  test('F33 F78: without one, just the grants are lost of which the answer was not recorded, and each is reported', async (context) => {
    const { unrecorded, replays, alerts, lost } = await killOften({
      context,
      reuseGraceSeconds: 0,
      isNative: true,
      answerMs: 10,
    });
    context.expect(alerts).toEqual(lost.map((isLost) => (isLost ? ['lost_response'] : [])));
    context.expect(replays.wrong).toBe(0);
    context.expect(unrecorded).toBeGreaterThan(0);
  });

  test('F71: nothing is lost where a script outlives the kill: its answer is taken from where it printed it', async (context) => {
    const { inside, replays, alerts, lost } = await killOften({
      context,
      reuseGraceSeconds: 0,
      isNative: false,
      answerMs: 20,
    });
    context
      .expect({ lost, alerts, replays })
      .toEqual({ lost: [false], alerts: [[]], replays: { unrecorded: 0, wrong: 0 } });
    context.expect(inside).toBeGreaterThan(0);
  });
});

// Longer than any run of kills that leaves no life the time for an answer.
const GRACE_SECONDS = 600;

// The shortest of a few: one may have been held up.
const LIVES_MEASURED = 3;

// The journal is emptied, and the token published, after the last record of a refresh.
const CLOSING_MS = 10;
