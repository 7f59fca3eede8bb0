/**
 * The protocol of Docker's credential helpers: an operation as argument, a server on standard input, JSON on standard output.
 *
 * Rule: only `get` and `list` mean something here; what would change the login is refused, since it is not Docker's.
 *
 * @see github.com/docker/docker-credential-helpers, README
 */
import { CommandError } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { readText } from '../input-lines.ts';
import { type Format, printable, userOf } from './contract.ts';

export const docker: Format = async ({ name, operation = 'get', args, io, read }) => {
  switch (operation) {
    case 'get': {
      const user = userOf(args, { why: 'the user name that the registry wants beside a token' });
      const server = io.input === undefined ? '' : await readText(io.input(), SERVER_CHARACTERS_MAX);
      return line({ ServerURL: server.trim(), Username: user, Secret: printable(await read()) });
    }
    case 'list':
      // Servers are named by `credHelpers`; nothing is kept here that could be listed.
      return line({});
    default:
      throw new CommandError(
        `docker asked to ${JSON.stringify(operation.slice(0, 20))}: this login is not Docker's to change, freshd keeps ${name}`,
        EXIT.dataError,
      );
  }
};

const line = (value: object): string => `${JSON.stringify(value)}\n`;

// A server's name; DNS admits 253 characters, and a scheme, a port and a path may stand around it.
const SERVER_CHARACTERS_MAX = 2_048;
