/**
 * The two headers of an answer that speak of time: `Date` and `Retry-After`.
 *
 * Rule: liberal in form, null where nothing can be made of it; a date counts from the server's own clock where it shows one.
 */

/**
 * @param value IMF-fixdate, or one of the two obsolete forms
 * @returns epoch ms
 * @see RFC 9110 §5.6.7
 */
export function readHttpDate(value: string | null): number | null {
  if (value === null || !HTTP_DATE.test(value.trim())) return null;
  // The form of C's asctime names no zone and means UTC.
  const text = value.trim();
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(ms) ? null : ms;
}

/**
 * How long to wait, in ms.
 * @param nowMs used where the answer has no `Date` of its own
 * @see RFC 9110 §10.2.3
 */
export function readRetryAfter(headers: Headers, nowMs: number): number | null {
  const value = headers.get('retry-after')?.trim() ?? null;
  if (value === null) return null;
  // Not in the grammar, but sent: a fraction.
  if (/^\d{1,10}(?:\.\d{1,6})?$/.test(value)) return Math.ceil(Number(value) * 1000);
  const until = readHttpDate(value);
  return until === null ? null : Math.max(0, until - (readHttpDate(headers.get('date')) ?? nowMs));
}

// The weekday is not looked at: it can only contradict the date.
const HTTP_DATE =
  /^[A-Z][a-z]{2,8},? (?:\d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4}|[A-Z][a-z]{2} [ \d]\d) \d\d:\d\d:\d\d(?: GMT| \d{4})$/;
