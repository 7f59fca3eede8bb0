/**
 * JSON out of an answer, whatever its content type says.
 */

export type Json = Readonly<Record<string, unknown>>;

/** @returns null for anything but one whole object */
export function objectIn(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Some servers always send the member, and empty it when all is well. */
export function hasError({ error }: Json): boolean {
  return ![undefined, null, false, ''].some((nothing) => nothing === error);
}
