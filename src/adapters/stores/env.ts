/**
 * A variable in an env file as the store: `KEY=value`, with its expiry in a second variable where there is one.
 *
 * Rule: dotenv reads, the line-preserving editor writes; every other line stays as it is.
 */
import { parse } from 'dotenv';
import { writeMomentLike } from '../../core/moment.ts';
import { editEnv } from '../publish/env-text.ts';
import { type LifeOptions, readAnswer, readStored, type StoreCodec } from './store-codec.ts';

export interface EnvFormat extends LifeOptions {
  readonly variable: string;
  readonly expiresAtVariable: string | null;
}

export function createEnvCodec({ variable, expiresAtVariable, ...life }: EnvFormat): StoreCodec {
  return {
    read: (text, modifiedAt) => {
      const values = parse(text);
      const accessToken = values[variable];
      if (accessToken === undefined) return { kind: 'missing', detail: `there is no variable ${variable}` };
      const expiresAt = expiresAtVariable === null ? undefined : values[expiresAtVariable];
      return readStored({ access_token: accessToken, expires_at: expiresAt }, modifiedAt, life);
    },
    merge: (text, response, receivedAt) => {
      const next = readAnswer(response, receivedAt, life);
      // A refresh token has no place here, and without an access token nothing is left to write.
      if (next.accessToken === null) return text ?? '';
      const changes = new Map<string, string | null>([[variable, next.accessToken]]);
      if (expiresAtVariable !== null) {
        const expiresAt = next.expiry.kind === 'known' ? next.expiry.expiresAt : null;
        const found = parse(text ?? '')[expiresAtVariable];
        changes.set(expiresAtVariable, expiresAt === null ? null : String(writeMomentLike(found, expiresAt)));
      }
      return editEnv(text ?? '', changes);
    },
  };
}
