/** Types of demo-authorization-server.js, for the tests that import it. */

export interface AuthorizationServerOptions {
  /** 0 (default) takes a free one. */
  readonly port?: number;
  /** Of access tokens; default 60. */
  readonly lifeSeconds?: number;
  /** How long the last used refresh token still brings its successor; default 0. */
  readonly reuseGraceSeconds?: number;
  /** Refresh tokens are used once; default true. Otherwise answers carry none. */
  readonly rotates?: boolean;
  /** By id; absent: nobody has to say who they are. */
  readonly clients?: Readonly<
    Record<string, { readonly authentication: 'basic' | 'post' | 'none'; readonly secret?: string }>
  >;
  /** How often a device may ask; default 5. */
  readonly deviceIntervalSeconds?: number;
  /** Of device codes; default 600. */
  readonly deviceLifeSeconds?: number;
  /** In PEM; present: it speaks https. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Epoch ms. */
  readonly now?: () => number;
  /** Called when a request to /token is decided, before its answer goes out; with its secrets. Null: refused. */
  readonly onDecided?: (decided: { readonly body: string; readonly response: DemoTokenResponse | null }) => void;
}

export interface DemoTokenResponse {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
}

/** No secrets. */
export interface AuthorizationServerState {
  readonly requests: {
    /** All to /token; the next four say what became of them. */
    readonly token: number;
    readonly refreshed: number;
    readonly refused: number;
    readonly failed: number;
    /** Refreshed, but never answered. */
    readonly dropped: number;
    readonly seeded: number;
    readonly resource: number;
    readonly rejected: number;
    readonly discovered: number;
  };
  readonly families: readonly { readonly revoked: boolean; readonly rotations: number }[];
  readonly goodAccessTokens: number;
  /** Requests that are being delayed now. */
  readonly waiting: number;
  readonly pendingFailures: number;
  readonly pendingDrops: number;
}

export interface AuthorizationServer {
  /** Without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly tokenEndpoint: string;
  /** A first token response: a new family, as after a login. */
  seed(): DemoTokenResponse;
  /** To /token, as it came; null: none yet. */
  lastTokenRequest(): {
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly body: string;
  } | null;
  /** What a person says to a device's code. @returns false for an unknown one */
  decideDevice(userCode: string, isApproved: boolean): boolean;
  /** Codes that wait for a person. */
  userCodes(): readonly string[];
  state(): AuthorizationServerState;
  /** Until set to 0. `after_commit`: the refresh token is rotated, and the answer comes too late. */
  delay(fault: { readonly milliseconds: number; readonly when?: 'before_commit' | 'after_commit' }): void;
  /** The next requests to /token, which then change nothing. An object as body is sent as JSON. */
  fail(fault: {
    readonly status: number;
    readonly body?: string | Readonly<Record<string, unknown>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly times?: number;
    /** `after_commit`: the refresh token is rotated all the same; default before. */
    readonly when?: 'before_commit' | 'after_commit';
  }): void;
  /** Rotate, then cut the connection. */
  drop(times?: number): void;
  revoke(): void;
  revokeAccess(): void;
  close(): Promise<void>;
}

export declare function startAuthorizationServer(options?: AuthorizationServerOptions): Promise<AuthorizationServer>;
