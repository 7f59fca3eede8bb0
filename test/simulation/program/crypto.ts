/**
 * `node:crypto` of the simulated process: the real digests, and chance that the seed decides.
 */
import type { Realm } from '../realm.ts';

declare const realm: Realm;

export { createHash, createHmac } from 'node:crypto';

export function randomBytes(size: number): Buffer {
  return Buffer.from(realm.random.hex(size), 'hex');
}

export function randomUUID(): string {
  const hex = realm.random.hex(16);
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}
