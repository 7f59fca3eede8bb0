/**
 * A file that holds only the token; if that is a JWT, it says itself when it ends.
 *
 * Rule: spaces and line ends around the token are the file's, not the token's.
 */
import { type LifeOptions, readAnswer, readStored, type StoreCodec } from './store-codec.ts';

export function createTextCodec(life: LifeOptions): StoreCodec {
  return {
    read: (text, modifiedAt) => readStored({ access_token: text.trim() }, modifiedAt, life),
    merge: (text, response, receivedAt) => {
      const { accessToken } = readAnswer(response, receivedAt, life);
      // A refresh token has no place here, and without an access token nothing is left to write.
      if (accessToken === null) return text ?? '';
      return text === null || text.trim() === '' ? `${accessToken}\n` : text.replace(text.trim(), () => accessToken);
    },
  };
}
