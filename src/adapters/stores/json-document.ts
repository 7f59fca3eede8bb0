/**
 * JSON stores: parsing without ever repeating content, and the place of a value in a document (RFC 6901).
 */
import { PortError, type StoreReading } from '../../daemon/ports.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** @returns the broken reading when the text is not JSON: the parser's own message would quote from it */
export function parseJson(text: string): { readonly value: unknown } | { readonly broken: StoreReading } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    const seen = text.trim() === '' ? 'an empty file' : `${text.length} characters that are not`;
    return { broken: brokenReading(`expected JSON, found ${seen}; restore the file, or log in again`) };
  }
}

export function brokenReading(detail: string): StoreReading {
  return { kind: 'broken', detail };
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The steps of a JSON pointer such as `/tokens/access_token`.
 * @throws PortError `invalid_pointer`
 */
export function parsePointer(pointer: string): readonly string[] {
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) {
    const remedy = 'write it as in RFC 6901, for example "/tokens/access_token"';
    throw new PortError(`expected a JSON pointer, got ${JSON.stringify(pointer)}; ${remedy}`, {
      code: 'invalid_pointer',
      remedy,
    });
  }
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** @returns undefined where there is nothing */
export function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value) && /^\d{1,9}$/.test(step)) value = (value as readonly unknown[])[Number(step)];
    else if (isJsonObject(value) && Object.hasOwn(value, step)) value = value[step];
    else return undefined;
  }
  return value;
}
