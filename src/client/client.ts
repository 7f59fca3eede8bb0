/**
 * The client: one subscription, the newest tokens in memory, and what programs do with them.
 *
 * Rule: puts the parts together and tells listeners; each part decides its own matter. It keeps the process alive only while
 * somebody waits for it.
 */
import type { AlertEvent, ChainEvent, PhaseEvent, TokenBody, TokenEvent } from '../api/protocol.ts';
import { createAcknowledging } from './acknowledging.ts';
import { type Asking, createAsking } from './asking.ts';
import { FreshdError } from './errors.ts';
import type { StreamEvent } from './event-stream.ts';
import { type FetchInput, type FetchOptions, fetchWithToken } from './fetch.ts';
import { createGate, type Gate, type GateOptions } from './gate.ts';
import { createHoldings, type Holdings } from './holdings.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { captureSurroundings, defaultConsumer, type Runtime, systemRuntime } from './runtime.ts';
import { socketPlaces } from './socket-place.ts';
import type { Chain, Phase, Token } from './standing.ts';
import { keepSubscribed, type Subscription } from './subscription.ts';
import { type InnerWaitOptions, type WaitOptions, waitForToken } from './wait.ts';

export interface ConnectOptions {
  /** Where the daemon listens; found as every command of freshd finds it when left out. */
  readonly socketPath?: string;
  /** Only these credentials and chains, at most a hundred; all that this user may read when left out. */
  readonly names?: readonly string[];
  /** Who this is, for `freshd status` and for reports: unlike any other process. Script and pid when left out. */
  readonly consumer?: string;
  /** How long to wait for a daemon that is not there yet; 0 when left out. */
  readonly waitMs?: number;
}

export interface ClientEvents {
  /** There is another generation. */
  readonly token: Token;
  readonly phase: Phase;
  /** Another member of a chain is in use, or none. */
  readonly chain: Chain;
  /** A person was told something. */
  readonly alert: AlertEvent;
  readonly connected: undefined;
  readonly disconnected: FreshdError;
}

export interface Client {
  /**
   * The newest token, from memory.
   * @throws FreshdError `unknown_credential`, `reauthorization_required`, `temporarily_unavailable`
   */
  token(name: string): Token;
  /** @throws FreshdError `timeout`, `reauthorization_required`, `unknown_credential`, `min_valid_unattainable`, `closed` */
  waitForToken(name: string, options?: WaitOptions): Promise<Token>;
  /** `fetch` with the token; after a 401 it is reported, and the request sent once more with the next generation. */
  fetch(name: string, input: FetchInput, init?: RequestInit, options?: FetchOptions): Promise<Response>;
  /** Runs jobs while there is a token, and holds them while there is none. */
  gate(name: string, options?: GateOptions): Gate;
  /** How a credential is; null for one that is not known. */
  phase(name: string): Phase | null;
  /** Which member of a chain is in use; null for one that is not known. */
  chain(name: string): Chain | null;
  /** Of credentials and chains. */
  names(): readonly string[];
  readonly isConnected: boolean;
  /** @returns how to stop listening */
  on<Name extends keyof ClientEvents>(event: Name, listener: (detail: ClientEvents[Name]) => void): () => void;
  /** Ends the connection, and every wait. */
  close(): void;
}

/**
 * Connects to the daemon and takes in its present state.
 * @throws FreshdError `no_daemon`, `permission_denied`, `unknown_credential` (a name in `names`), …
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const client = new FreshdClient(options, systemRuntime);
  try {
    await client.ready;
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

class FreshdClient implements Client {
  readonly ready: Promise<void>;
  readonly #runtime: Runtime;
  readonly #holdings: Holdings;
  readonly #asking: Asking;
  readonly #subscription: Subscription;
  readonly #listeners: Listeners<ClientEvents> = createListeners();
  readonly #changes: Listeners<{ readonly [name: string]: undefined }> = createListeners();
  readonly #acknowledging: ReturnType<typeof createAcknowledging>;
  #isConnected = false;
  #connections = 0;
  #isClosed = false;
  #holds = 0;
  #settleReady: (failure: FreshdError | null) => void = () => undefined;

  constructor(options: ConnectOptions, runtime: Runtime) {
    const { names = null, consumer = defaultConsumer(), waitMs = 0 } = options;
    const { places } = socketPlaces({ socket: options.socketPath }, captureSurroundings());
    this.#runtime = runtime;
    this.#holdings = createHoldings(runtime.nowMs);
    this.#holdings.onNeed = (name) => this.#catchUp(name);
    this.#asking = createAsking({ places: () => this.#subscription.places(), consumer });
    this.#acknowledging = createAcknowledging({ runtime, asking: this.#asking });
    const patientUntilMs = runtime.nowMs() + waitMs;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = (failure) => (failure === null ? resolve() : reject(failure));
    });
    const release = this.#hold();
    void this.ready.then(release, release);
    this.#subscription = keepSubscribed({
      places,
      names,
      consumer,
      runtime,
      onBegin: () => this.#holdings.beginSnapshot(),
      onEvent: (event) => this.#take(event),
      onUp: ({ resumed }) => this.#up(resumed),
      onDown: (reason) => this.#down(reason, patientUntilMs),
    });
    this.#reference();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  token(name: string): Token {
    return this.#holdings.token(name);
  }

  waitForToken(name: string, options: InnerWaitOptions = {}): Promise<Token> {
    const parts = {
      holdings: this.#holdings,
      asking: this.#asking,
      runtime: this.#runtime,
      isClosed: () => this.#isClosed,
      connections: () => this.#connections,
      take: this.#takeToken,
      onceChanged: (changed: string, wake: () => void) => this.#changes.on(changed, wake),
    };
    return this.#heldFor(waitForToken(parts, name, options));
  }

  fetch(name: string, input: FetchInput, init: RequestInit = {}, options: FetchOptions = {}): Promise<Response> {
    return this.#fetch({ name, input, init }, { ...options, isPatient: false });
  }

  gate(name: string, options: GateOptions = {}): Gate {
    const patience = { waitMs: Number.POSITIVE_INFINITY, isPatient: options.failFast !== true };
    return createGate(
      {
        fetch: (input, init = {}) => this.#fetch({ name, input, init }, patience),
        obstacle: () => this.#obstacle(name),
        onChange: (look) => void this.#changes.on(name, look),
        hold: () => this.#hold(),
      },
      options,
    );
  }

  phase(name: string): Phase | null {
    return this.#holdings.phase(name);
  }

  chain(name: string): Chain | null {
    return this.#holdings.chain(name);
  }

  names(): readonly string[] {
    return this.#holdings.names();
  }

  on<Name extends keyof ClientEvents>(event: Name, listener: (detail: ClientEvents[Name]) => void): () => void {
    return this.#listeners.on(event, listener);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isConnected = false;
    this.#subscription.close();
    this.#acknowledging.close();
    this.#asking.close();
    this.#settleReady(closed());
    this.#changes.emitAll(undefined);
  }

  #fetch(
    request: { readonly name: string; readonly input: FetchInput; readonly init: RequestInit },
    { isPatient, ...options }: FetchOptions & { readonly isPatient: boolean },
  ): Promise<Response> {
    const parts = {
      holdings: this.#holdings,
      asking: this.#asking,
      waitForToken: (name: string, wait: InnerWaitOptions) => this.waitForToken(name, { ...wait, isPatient }),
      connections: () => this.#connections,
      take: this.#takeToken,
      runtime: this.#runtime,
    };
    return this.#heldFor(fetchWithToken(parts, request, options));
  }

  #obstacle(name: string): FreshdError | null {
    if (this.#isClosed) return closed();
    const held = this.#holdings.valid(name);
    return held !== null && !this.#holdings.isRefused(held) ? null : this.#holdings.missing(name);
  }

  #take({ type, data }: StreamEvent): void {
    switch (type) {
      case 'token':
        this.#takeToken(JSON.parse(data) as TokenEvent);
        return;
      case 'phase': {
        const phase = this.#holdings.takePhase(JSON.parse(data) as PhaseEvent);
        if (phase === null) return;
        this.#listeners.emit('phase', phase);
        this.#changes.emit(phase.credential, undefined);
        return;
      }
      case 'chain': {
        const chain = this.#holdings.takeChain(JSON.parse(data) as ChainEvent);
        if (chain === null) return;
        this.#listeners.emit('chain', chain);
        this.#changes.emit(chain.chain, undefined);
        return;
      }
      case 'alert':
        this.#listeners.emit('alert', JSON.parse(data) as AlertEvent);
        return;
      default:
        // A later daemon may say more than this client understands.
        return;
    }
  }

  readonly #takeToken = (body: TokenEvent | TokenBody): void => {
    const token = this.#holdings.takeToken(body);
    this.#changes.emit(body.chain ?? body.credential, undefined);
    if (token === null) return;
    this.#acknowledging.owe(token);
    this.#listeners.emit('token', token);
  };

  #up(resumed: boolean): void {
    this.#holdings.endSnapshot(resumed);
    this.#isConnected = true;
    this.#connections += 1;
    this.#settleReady(null);
    this.#changes.emitAll(undefined);
    this.#listeners.emit('connected', undefined);
  }

  #down(reason: FreshdError, patientUntilMs: number): void {
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#holdings.markStale();
    const isHopeless = reason.code !== 'no_daemon' && reason.code !== 'broken';
    if (isHopeless || this.#runtime.nowMs() >= patientUntilMs) this.#settleReady(reason);
    if (wasConnected) this.#listeners.emit('disconnected', reason);
  }

  /** The stream brings everything while there is one. */
  #catchUp(name: string): void {
    if (this.#isConnected || this.#isClosed) return;
    void this.#asking.read(name, { minValidMs: 0, afterGeneration: null, waitMs: 0 }).then(this.#takeToken, ignore);
  }

  #heldFor<Result>(work: Promise<Result>): Promise<Result> {
    return work.finally(this.#hold());
  }

  #hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    this.#reference();
    return () => {
      if (isHeld) this.#holds -= 1;
      isHeld = false;
      this.#reference();
    };
  }

  #reference(): void {
    if (this.#holds > 0) this.#subscription?.ref();
    else this.#subscription?.unref();
  }
}

const closed = (): FreshdError => new FreshdError('the client was closed', { code: 'closed' });

/** The caller has been told already, or is served by the token that is held. */
const ignore = (): void => undefined;
