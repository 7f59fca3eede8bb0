/**
 * Codes of failures in words for people.
 *
 * Rule: data; a code that is not listed is shown as it is, if it is an identifier, and nothing that came with it is repeated.
 */

export function codeWords(code: string | null): string {
  if (code === null || !CODE_SHAPE.test(code)) return 'no code is known';
  const words = CODE_WORDS.get(code);
  return words === undefined ? `code ${code}` : `${words} (${code})`;
}

/** No login cures these: a program, a file or a client id is wrong, and `freshd explain` says which. */
export const isMisconfiguration = (code: string | null): boolean => code !== null && MISCONFIGURED.test(code);

/** What codes mean, for those a person meets often; any other code is shown alone and can be looked up. */
export const CODE_WORDS: ReadonlyMap<string, string> = new Map([
  ['invalid_grant', 'the server no longer accepts the stored refresh token'],
  ['lost_response', 'an answer was lost on the way, and with it the new refresh token'],
  ['invalid_client', 'the server does not accept the client id or secret'],
  ['login_required', 'the tool that owns the login says that a person must log in'],
  ['not_logged_in', 'the tool that owns the login says that nobody is logged in'],
  ['session_expired', 'the session has ended at the server'],
  ['no_account', 'the tool that owns the login knows no account'],
  ['account_gone', 'the account is gone or locked at the server'],
  ['token_revoked', 'the grant was revoked at the server'],
  ['token_invalid', 'the server does not know the token any more'],
  ['key_invalid', 'the server does not know the key'],
  ['refresh_token_dead', 'the refresh token is of no more use'],
  ['refresh_token_expired', 'the refresh token has expired'],
  ['refresh_token_reused', 'the refresh token was spent already: another program refreshes this grant too'],
  ['refresh_token_already_used', 'the refresh token was spent already: another program refreshes this grant too'],
  ['refresh_token_invalidated', 'the refresh token was revoked at the server'],
  ['invalid_refresh_token', 'the server no longer accepts the stored refresh token'],
  ['bad_refresh_token', 'the server no longer accepts the stored refresh token'],
  ['program_missing', 'a program that the refresh needs is not there'],
  ['variable_missing', 'a variable that the refresh needs is not set'],
  ['client_secret_missing', 'the client secret is missing'],
  ['budget_spent', 'its budget of refreshes is used up'],
  ['peer_rejects_fresh_tokens', 'one program rejects even the newest token: wrong audience, scheme or host there'],
  ['tokens_rejected_at_once', 'two tokens in a row were rejected within a minute'],
  ['timeout', 'the refresh did not finish in time'],
  ['outcome_unknown', 'the refresh ended without a result'],
  ['malformed_output', 'the refresh printed something that is no token response'],
  ['exit_75', 'the refresh could not reach the server'],
  ['exit_77', 'the refresh script says that a person must log in'],
  ['exit_78', 'the refresh script says that it is misconfigured'],
  ['script_interpreter_missing', 'the program that the first line of the refresh script names is not there'],
  ['script_missing', 'the refresh script is not there'],
  ['script_not_executable', 'the refresh script is not executable'],
  ['script_writable_by_others', 'others may write the refresh script, so it is not run'],
  ['store_blanked', 'the tool that owns the stored credential has emptied it'],
  ['state_broken', 'the stored credential cannot be understood'],
  ['token_missing', 'nothing is stored for it'],
  ['rejected', 'its consumers report that the service refuses it'],
  ['lock_place_unusable', 'the locks of the tool that owns its store cannot be taken from here'],
  ['left_run_alive', 'of an attempt before the last start the script still runs, or the journal cannot be read'],
  ['store_busy', 'another program holds the lock of its store'],
  ['not_yet_valid', 'the new token is not valid yet; look at the clock of this machine'],
  ['expired', 'its token has expired, and nothing here may refresh it'],
  ['timed_out', 'it did not answer in time'],
  ['disk_full', 'the disk is full'],
  ['quota_exceeded', 'the disk quota is used up'],
  ['out_of_inodes', 'the file system takes no more files'],
  ['read_only_filesystem', 'the file system is read-only'],
  ['io_error', 'the device failed'],
  ['mount_lost', 'the file system does not answer'],
  ['foreign_value', 'somebody else has written a value there'],
]);

const MISCONFIGURED =
  /^(?:script_\w+|exit_78|working_directory_missing|program_missing|variable_missing|usage_error|bad_configuration|client_secret_missing|invalid_assertion|invalid_client|unauthorized_client|invalid_request|invalid_scope|unsupported_grant_type|lock_place_unusable)$/;

/** Codes are identifiers; whatever else an OAuth answer put in that place is not repeated. */
const CODE_SHAPE = /^[A-Za-z0-9_.-]{1,64}$/;
