/**
 * One slot of an attempt journal as bytes: magic, sequence, length, checksum, payload, zeros.
 *
 * Rule: the checksum covers all that has a meaning, so bytes of two writes never pass for one; the zeros leave nothing of
 * a longer, older payload behind.
 */
import { createHash } from 'node:crypto';
import { PortError } from '../daemon/ports.ts';

/** An answer is a few KB: this holds one with large JWTs, and two slots go to disk in one write each. */
export const SLOT_BYTES = 64 * 1024;

export type Slot =
  | { readonly kind: 'intact'; readonly sequence: number; readonly payload: Buffer }
  /** Nothing but zeros: never written, or wiped. */
  | { readonly kind: 'blank' }
  /** Torn by a crash, or damaged from outside. */
  | { readonly kind: 'torn' };

/**
 * @param payload empty for "nothing is in flight"
 * @throws PortError `answer_too_large`
 */
export function encodeSlot(sequence: number, payload: Buffer): Buffer {
  if (payload.length > SLOT_BYTES - HEADER_BYTES) {
    const remedy = 'the refresh must answer with a token response, and no more';
    throw new PortError(
      `the attempt journal takes answers of up to ${SLOT_BYTES - HEADER_BYTES} bytes, got ${payload.length}; ${remedy}`,
      { code: 'answer_too_large', remedy },
    );
  }
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot.writeBigUInt64BE(BigInt(sequence), SEQUENCE_AT);
  slot.writeUInt32BE(payload.length, LENGTH_AT);
  payload.copy(slot, HEADER_BYTES);
  checksum(slot, payload.length).copy(slot, CHECKSUM_AT);
  return slot;
}

/** @param bytes a whole slot, or what is left of one */
export function decodeSlot(bytes: Buffer): Slot {
  if (isBlank(bytes)) return { kind: 'blank' };
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return { kind: 'torn' };
  const length = bytes.readUInt32BE(LENGTH_AT);
  if (length > bytes.length - HEADER_BYTES) return { kind: 'torn' };
  const stored = bytes.subarray(CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES);
  if (!stored.equals(checksum(bytes, length))) return { kind: 'torn' };
  const sequence = Number(bytes.readBigUInt64BE(SEQUENCE_AT));
  return { kind: 'intact', sequence, payload: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) };
}

/** The first byte is zero, and each is like the one before it: a comparison in the C library, not 64 Ki calls of ours. */
function isBlank(bytes: Buffer): boolean {
  return bytes.length === 0 || (bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1)));
}

/** Of sequence, length and payload. */
function checksum(slot: Buffer, payloadLength: number): Buffer {
  return createHash('sha256')
    .update(slot.subarray(SEQUENCE_AT, CHECKSUM_AT))
    .update(slot.subarray(HEADER_BYTES, HEADER_BYTES + payloadLength))
    .digest();
}

// The digit is the version of the entry's shape.
const MAGIC = Buffer.from('FRESHDJ1', 'latin1');
const SEQUENCE_AT = MAGIC.length;
const LENGTH_AT = SEQUENCE_AT + 8;
const CHECKSUM_AT = LENGTH_AT + 4;
const CHECKSUM_BYTES = 32;
const HEADER_BYTES = CHECKSUM_AT + CHECKSUM_BYTES;
