/**
 * What is wrong with a credential, in lines for a person.
 *
 * Rule: each line says what helps, where something does; codes come from the daemon, and no secret is in them.
 */
import type { CredentialBody } from '../api/protocol.ts';
import type { CommandIo } from './command.ts';
import { consumersText } from './consumers.ts';
import { momentText } from './time.ts';

/** @returns nothing where all is well */
export function troubles(credential: CredentialBody, io: CommandIo): string[] {
  const { last_failure: failure, publications, consumers, fault, remedy, phase } = credential;
  const lines: string[] = [];
  if (fault !== null) lines.push(`a bug keeps the daemon from tending it (${fault}); the log has the record`);
  if (failure !== null && credential.failures > 0) {
    const what = failure.detail === null ? failure.code : `${failure.code}: ${failure.detail}`;
    lines.push(`last failure ${momentText(failure.at, io.nowMs())}: ${what}`);
  }
  if (phase === 'reauthorization_required') lines.push(`needs a person (${credential.reason}): ${remedy}`);
  if (phase === 'absent' && remedy !== null) lines.push(`${credential.next.why}: ${remedy}`);
  if (!credential.durable)
    lines.push('a new refresh token could not be stored yet; the daemon keeps it and tries again');
  if (consumers !== null && consumers.behind > 0) lines.push(consumersText(consumers));
  for (const { target, status, code, remedy: help } of publications) {
    if (status === 'failed') lines.push(`${target} was not written (${code})${help === null ? '' : `: ${help}`}`);
  }
  return lines;
}
