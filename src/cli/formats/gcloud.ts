/**
 * The document that Google's auth libraries read from an executable credential source.
 *
 * Rule: the one format that also prints failures: Google wants a document with the code and a message beside a status that is
 * not zero. The token must be one that Google's exchange takes, a JWT.
 *
 * @see google.aip.dev/auth/4117, "Executable-sourced credentials"
 */
import { CommandError, type CommandIo } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { epochSeconds } from '../time.ts';
import { type Format, printable, type TokenRequest } from './contract.ts';

export const gcloud: Format = async (request) => {
  try {
    return await successDocument(request);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { message, exitCode } = error;
    const document = { version: 1, success: false, code: String(exitCode), message };
    throw new CommandError(message, exitCode, { cause: error, output: `${JSON.stringify(document)}\n` });
  }
};

async function successDocument({ io, read }: TokenRequest): Promise<string> {
  const tokenType = typeAskedFor(io);
  const token = await read();
  const idToken = printable(token);
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(idToken)) {
    throw new CommandError(
      `the token of ${token.credential} is no JWT, and Google exchanges nothing else; for a token of Google's own ` +
        'let gcloud read the token file (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE)',
      EXIT.configuration,
    );
  }
  const expiry = token.expires_at === null ? {} : { expiration_time: epochSeconds(token.expires_at) };
  const document = { version: 1, success: true, token_type: tokenType, id_token: idToken, ...expiry };
  return `${JSON.stringify(document)}\n`;
}

/** The libraries say in the environment what the credential file says. */
function typeAskedFor({ env }: CommandIo): string {
  const { GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE: wanted = `${TYPES}jwt` } = env;
  if (wanted === `${TYPES}jwt` || wanted === `${TYPES}id_token`) return wanted;
  throw new CommandError(
    `subject_token_type: expected ${TYPES}jwt or ${TYPES}id_token, got ${JSON.stringify(wanted.slice(0, 80))}`,
    EXIT.dataError,
  );
}

const TYPES = 'urn:ietf:params:oauth:token-type:';
