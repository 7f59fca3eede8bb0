/**
 * Unpacks a body that a server, or something on the way, has packed although it was asked not to: what is in it may be the
 * only copy of a rotated refresh token.
 *
 * Rule: bounded in what comes out and in how often; what cannot be unpacked is taken as it is, and judged as that.
 * @see RFC 9110 §8.4
 */
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { errnoOf } from '../port-error.ts';

export type Unpacked = { readonly kind: 'bytes'; readonly bytes: Buffer } | { readonly kind: 'too_large' };

/**
 * @param header `Content-Encoding`, or undefined
 * @param bytes may end too early: what was packed until then comes out
 */
export function unpack(bytes: Buffer, header: string | undefined, bytesMax: number): Unpacked {
  const codings = (header ?? '').toLowerCase().split(/[\s,]+/);
  const applied = codings.filter((coding) => coding !== '' && coding !== 'identity').reverse();
  if (applied.length > CODINGS_MAX) return { kind: 'bytes', bytes };
  let unpacked = bytes;
  try {
    for (const coding of applied) unpacked = unpackOne(unpacked, coding, bytesMax);
    return { kind: 'bytes', bytes: unpacked };
  } catch (error) {
    const code = errnoOf(error) ?? '';
    if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too_large' };
    if (code.startsWith('Z_') || code.startsWith('ERR_')) return { kind: 'bytes', bytes };
    throw error;
  }
}

function unpackOne(bytes: Buffer, coding: string, maxOutputLength: number): Buffer {
  const zlib = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH };
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(bytes, zlib);
    case 'deflate':
      // Meant is the zlib format, but some send the bare one: its first byte cannot begin the other.
      return ((bytes[0] ?? 0) & 0x0f) === 8 ? inflateSync(bytes, zlib) : inflateRawSync(bytes, zlib);
    case 'br':
      return brotliDecompressSync(bytes, { maxOutputLength, finishFlush: constants.BROTLI_OPERATION_FLUSH });
    default:
      return bytes;
  }
}

// Two are one server and one proxy; nobody has a use for more.
const CODINGS_MAX = 2;
