/**
 * What the AWS CLI and SDKs read from a `credential_process`.
 *
 * Rule: AWS signs requests with a pair of keys, and no OAuth token can stand in for one. So the access token of such a
 * credential is itself a JSON object with the keys, as `docs/recipes.md` shows; anything else is refused.
 *
 * @see AWS SDKs and Tools Reference Guide, "Process credential provider"
 */
import { CommandError } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import type { Format } from './contract.ts';

export const aws: Format = async ({ read }) => {
  const { credential, access_token, expires_at } = await read();
  const { AccessKeyId, SecretAccessKey, SessionToken } = membersOf(access_token);
  if (!isText(AccessKeyId) || !isText(SecretAccessKey)) {
    throw new CommandError(
      `the token of ${credential} is no pair of AWS keys: expected a JSON object with AccessKeyId and SecretAccessKey; ` +
        'for an OIDC token let the SDK read the token file (AWS_WEB_IDENTITY_TOKEN_FILE)',
      EXIT.configuration,
    );
  }
  const keys = { Version: 1, AccessKeyId, SecretAccessKey };
  const session = isText(SessionToken) ? { SessionToken } : {};
  // Without one the caller would keep the keys for ever.
  const expiration = expires_at === null ? {} : { Expiration: expires_at };
  return `${JSON.stringify({ ...keys, ...session, ...expiration })}\n`;
};

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch (error) {
    // The parser's message quotes what it stumbled over, which is the secret.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
