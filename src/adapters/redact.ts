/**
 * Redaction: text from outside, made fit to be shown to people.
 *
 * Rule: when in doubt, it goes. A message that lost a file name is a nuisance; one that kept a token is an incident.
 */

const REDACTED = '[redacted]';

/** Prefixes by which providers mark their secrets: Anthropic and OpenAI, GitHub, Slack, Google, xAI. */
export const MARKED_SECRET = /\b(?:sk-|gh[opusr]_|github_pat_|xox[a-z]-|ya29\.|1\/\/0|xai-)[\w.-]{6,}/g;

/**
 * Removes secrets from text that a script, server or tool wrote.
 * @param secrets values known to be secret; they are found whole, cut off, and in URL or JSON encoding
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  const known = secrets
    .filter((secret) => secret.length >= SECRET_CHARACTERS_MIN)
    .flatMap((secret) => [secret, ...urlEncoded(secret), JSON.stringify(secret).slice(1, -1)])
    // The longest first: a secret that begins with another one must not leave its rest behind.
    .sort((a, b) => b.length - a.length)
    .map(knownShape);
  return [...known, ...SHAPES].reduce((rest, shape) => rest.replace(shape, hide), text);
}

/** As forms and as paths write it. `encodeURIComponent` throws for half a surrogate pair; URLSearchParams replaces that. */
function urlEncoded(secret: string): string[] {
  const form = new URLSearchParams({ s: secret }).toString().slice(2);
  return [form, form.replaceAll('+', '%20')];
}

/** Keeps what names the secret (`"refresh_token":`), and hides the rest. */
function hide(_match: string, ...groups: readonly unknown[]): string {
  const label = groups[0];
  return typeof label === 'string' ? `${label}${REDACTED}` : REDACTED;
}

/** The whole secret, or its first characters and whatever follows them up to a space or quote: a message may have cut it. */
function knownShape(secret: string): RegExp {
  const whole = escapeRegExp(secret);
  if (secret.length <= PREFIX_CHARACTERS) return new RegExp(whole, 'g');
  return new RegExp(`${whole}|${escapeRegExp(secret.slice(0, PREFIX_CHARACTERS))}[^\\s"'<>]*`, 'g');
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** A first group, where there is one, is kept. The order matters: what is labelled goes before what merely looks random. */
const SHAPES: readonly RegExp[] = [
  // An Authorization header's value, also when quoted from a trace; not the words of "Bearer token expired".
  /\b((?:bearer|basic|dpop)\s+)(?=\S*\d|\S{16})[\w.~+/=-]{6,}/gi,
  // `refresh_token=…`, `"client_secret": "…"`
  /((?:token|secret|password|passwd|api[_-]?key|assertion|authorization|cookie)["']?\s*(?:=\s*["']?|:\s*["']))(?!\[redacted\]|(?:bearer|basic|dpop)\s)[^\s"'&,;<>]{4,}/gi,
  // `X-Api-Key: …`
  /((?:secret|password|passwd|api[_-]?key|cookie)\s*:\s*)(?!\[redacted\])[^\s"'&,;<>]{4,}/gi,
  // `token: …`, which prose has too ("failed to refresh token: connection reset"): only what is no word.
  /((?:token|assertion|authorization)\s*:\s*)(?!\[redacted\]|(?:bearer|basic|dpop)\s)(?=[^\s"']*\d|[^\s"']{20})[^\s"'&,;<>]{4,}/gi,
  // The password of a URL.
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/gi,
  // A JWT, or what is left of one: base64url of `{"`.
  /\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}/g,
  MARKED_SECRET,
  // Long hexadecimal runs.
  /\b[0-9a-f]{20,}\b/gi,
  // Long runs of the base64 alphabets that mix letters and digits, as random text does and words do not.
  /(?<![\w+-])(?=[\w+-]*[0-9])(?=[\w+-]*[A-Za-z])[\w+-]{20,}={0,2}/g,
  // The same with slashes, which paths have too: only where upper case, lower case and digits are mixed.
  /(?<![\w+/.-])(?=[\w+/-]*[0-9])(?=[\w+/-]*[A-Z])(?=[\w+/-]*[a-z])[\w+-][\w+/-]{31,}={0,2}/g,
];

// Shorter ones are words of any message; freshd refuses no token for being short, but nobody issues such.
const SECRET_CHARACTERS_MIN = 4;

// As many characters as tell one secret from an ordinary word.
const PREFIX_CHARACTERS = 8;
