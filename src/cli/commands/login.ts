/**
 * `freshd login NAME`: a grant of one's own for a credential that freshd itself refreshes.
 *
 * Rule: needs no daemon; loads what talks to the server only here. Shows addresses and codes for a person, never a token.
 */
import type { CredentialConfig, OauthConfig } from '../../config/config.ts';
import { CommandError, type CommandSpec, credentialName, isSwitchedOn } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { complainOf, loadNamedConfig } from '../named-config.ts';

export const command: CommandSpec = {
  name: 'login',
  summary: 'log in for a credential that freshd refreshes itself (refresh.oauth)',
  argument: 'required',
  options: [
    { name: 'device', summary: 'by a code that is typed in elsewhere (the default where the server knows it)' },
    { name: 'browser', summary: 'in a browser on this machine' },
  ],
  async run(args, io) {
    const name = credentialName(args);
    const [device, browser] = [isSwitchedOn(args, 'device'), isSwitchedOn(args, 'browser')];
    if (device && browser) throw new CommandError('expected --device or --browser, got both', EXIT.usage);
    const loaded = await loadNamedConfig(args, io);
    if (!loaded.ok) return complainOf(loaded, io);
    const { config } = loaded;
    const credential = ownGrant(name, config.credentials);
    const { logIn } = await import('../../daemon/login.ts');
    const way = device ? 'device' : browser ? 'browser' : null;
    const { env: environment, platform, write: show } = io;
    const result = await logIn({ config, credential, way, environment, platform, show });
    if (!result.ok) throw new CommandError(result.message, EXITS[result.code] ?? EXIT.failure);
    io.write(`${name}: logged in; ${result.storePath} holds the new grant, and a running freshd notices by itself\n`);
    if (result.isOtherAccount) {
      io.complain(`freshd: this is another account than before; to take it over: freshd refresh ${name}`);
    }
    return EXIT.ok;
  },
};

function ownGrant(
  name: string,
  credentials: readonly CredentialConfig[],
): CredentialConfig & { readonly refresh: OauthConfig } {
  const found = credentials.find((credential) => credential.name === name);
  if (found === undefined) {
    const known = credentials.map((credential) => credential.name).join(', ') || 'none';
    throw new CommandError(`${name}: expected a credential of the configuration (${known}), got another`, EXIT.failure);
  }
  const { refresh } = found;
  if (refresh?.kind !== 'oauth') {
    const remedy = 'log in with the tool that owns it, or give it refresh.oauth';
    throw new CommandError(
      `credentials.${name}: expected one with refresh.oauth, got another kind; ${remedy}`,
      EXIT.configuration,
    );
  }
  return { ...found, refresh };
}

/** By the code of what went wrong; anything else is a plain failure. */
const EXITS: Readonly<Record<string, ExitCode>> = {
  login_unreachable: EXIT.temporaryFailure,
  store_busy: EXIT.temporaryFailure,
  login_refused: EXIT.permission,
  login_expired: EXIT.permission,
  no_refresh_token: EXIT.configuration,
  login_missing: EXIT.configuration,
  login_misconfigured: EXIT.configuration,
  redirect_uri_busy: EXIT.configuration,
};
