/**
 * The environment of a refresh script: an allow-list, and what the user routed to it.
 *
 * Rule: a variable reaches a script because it is listed here or in `refresh.environment`, never because it was there.
 */

/** Variables by name: as captured at start, or as the child gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Computes what a script gets of freshd's own environment.
 * @param inherited the environment captured at start
 * @param routed `refresh.environment` of the configuration
 * @param options `withhold`: published variables. An inherited `ANTHROPIC_API_KEY` would keep `claude` from refreshing
 */
export function childEnvironment(
  inherited: Environment,
  routed: Readonly<Record<string, string>>,
  options: { readonly withhold: readonly string[] },
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && isAllowed(name)) environment[name] = value;
  }
  Object.assign(environment, routed);
  for (const name of options.withhold) delete environment[name];
  return environment;
}

/** May any program that freshd starts see this variable? */
export function isAllowed(name: string): boolean {
  return ALLOWED_NAMES.has(name) || ALLOWED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

const ALLOWED_PREFIXES = ['LC_', 'XDG_'] as const;

const ALLOWED_NAMES: ReadonlySet<string> = new Set([
  // Who and where.
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TZ', 'TMPDIR'],
  // Proxies: programs disagree about their case.
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'],
  // Certificate authorities, in the words of OpenSSL, curl, Python, Node, Git and the AWS tools.
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'],
  ...['GIT_SSL_CAINFO', 'AWS_CA_BUNDLE'],
  // Where the tools keep their own state. Their variables for tokens and keys are left out on purpose.
  ...['CLAUDE_CONFIG_DIR', 'CODEX_HOME', 'GEMINI_CLI_HOME', 'CLOUDSDK_CONFIG', 'CLOUDSDK_ACTIVE_CONFIG_NAME'],
  ...['OPENCLAW_STATE_DIR', 'HERMES_HOME'],
  ...['GH_CONFIG_DIR', 'GH_HOST'],
  // The desktop's keyring, where some tools keep their grant.
  'DBUS_SESSION_BUS_ADDRESS',
]);
