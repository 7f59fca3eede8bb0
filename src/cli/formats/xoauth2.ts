/**
 * The initial response of SASL XOAUTH2, for mail programs that want it ready-made.
 *
 * Rule: programs that build it themselves (msmtp, isync) take the bare token.
 *
 * @see Google, "OAuth 2.0 Mechanism", SASL XOAUTH2
 */
import { type Format, printable, userOf } from './contract.ts';

export const xoauth2: Format = async ({ args, read }) => {
  const user = userOf(args, { why: 'the mail address that logs in' });
  const response = `user=${user}\u0001auth=Bearer ${printable(await read())}\u0001\u0001`;
  return `${Buffer.from(response).toString('base64')}\n`;
};
