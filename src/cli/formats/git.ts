/**
 * Git's credential protocol: attributes on standard input, attributes on standard output.
 *
 * Rule: `get` answers, `erase` is git saying that the server refused the token, `store` changes nothing. A token does not
 * go over plain HTTP to another machine.
 *
 * @see git-credential(1), INPUT/OUTPUT FORMAT; gitcredentials(7), CUSTOM HELPERS
 */
import { type OutcomeBody, PATHS, type TokenBody } from '../../api/protocol.ts';
import { call } from '../call.ts';
import { CommandError } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readText } from '../input-lines.ts';
import { epochSeconds } from '../time.ts';
import { type Format, printable, type TokenRequest, userOf } from './contract.ts';

type Attributes = ReadonlyMap<string, string>;

export const git: Format = async (request) => {
  const attributes = await readAttributes(request);
  switch (request.operation ?? 'get') {
    case 'get':
      return answer(request, attributes);
    case 'erase':
      await report(request, attributes);
      return '';
    default:
      // Git stores what it was just given, and gitcredentials(7) wants operations of later versions to be passed over.
      return '';
  }
};

async function answer({ args, read }: TokenRequest, attributes: Attributes): Promise<string> {
  refuseClearText(attributes);
  // Hosts that take a token as the password look at the name little, but they want one; GitLab wants this one.
  const user = userOf(args, { fallback: attributes.get('username') ?? 'oauth2', why: 'a user name in one line' });
  const token = await read();
  const lines = [`username=${user}`, `password=${printable(token)}`];
  if (token.expires_at !== null) lines.push(`password_expiry_utc=${epochSeconds(token.expires_at)}`);
  return `${lines.join('\n')}\n`;
}

function refuseClearText(attributes: Attributes): void {
  const host = attributes.get('host') ?? '';
  if (attributes.get('protocol') !== 'http' || LOOPBACK.test(host)) return;
  throw new CommandError(
    `git asked for ${host} over plain HTTP, where anybody could read the token; use https`,
    EXIT.dataError,
  );
}

/** Only the token that is still the present one: another has been replaced, so nothing is wrong with what is served now. */
async function report(request: TokenRequest, attributes: Attributes): Promise<void> {
  const { name, args, io } = request;
  const token = await presentToken(request);
  if (token === null || token.access_token !== attributes.get('password')) return;
  const consumer = `git:${attributes.get('host') ?? ''}`.replace(/[^\x21-\x7e]/g, '_').slice(0, CONSUMER_LENGTH_MAX);
  const body = { generation: token.generation, http_status: 401, consumer };
  await call<OutcomeBody>({ method: 'POST', path: PATHS.rejections(name), body }, args, io);
}

/** As it is: a report does not wait for a better one. */
async function presentToken({ name, args, io }: TokenRequest): Promise<TokenBody | null> {
  try {
    return await call<TokenBody>({ method: 'GET', path: PATHS.token(name) }, args, io);
  } catch (error) {
    // Without a token in use there is none to refuse.
    if (error instanceof CommandError && error.exitCode !== EXIT.unavailable) return null;
    throw error;
  }
}

/** `key=value` lines, up to an empty one or the end. */
async function readAttributes({ io }: TokenRequest): Promise<Attributes> {
  const text = io.input === undefined ? '' : await readText(io.input(), INPUT_CHARACTERS_MAX);
  const attributes = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') break;
    const equals = line.indexOf('=');
    if (equals > 0) attributes.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return attributes;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

/** What the daemon takes as a consumer's name. */
const CONSUMER_LENGTH_MAX = 64;

// Far above what git writes, also with the server's headers in it.
const INPUT_CHARACTERS_MAX = 65_536;
