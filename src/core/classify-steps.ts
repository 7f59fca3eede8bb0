/**
 * Steps of the classifier: each looks at one kind of evidence, and decides or passes.
 *
 * Rule: pure and small; a step knows no context, the lists of classify-failure.ts do.
 */
import type { FailureClass } from './failure.ts';
import type { CodeGroup, Provider } from './failure-codes.ts';
import type { Evidence } from './failure-evidence.ts';
import { OAUTH_ERRORS } from './failure-oauth.ts';
import type { Phrase } from './failure-phrases.ts';
import type { CodeShape } from './failure-shapes.ts';

export interface Classification {
  readonly class: FailureClass;
  /** A code of our tables, `[a-z0-9_]`: safe to log and to show, never a word of the text. */
  readonly code: string;
  /** Which step decided, and by what: `rfc6749:invalid_grant`, `status:429`, `phrase:login_required`. */
  readonly rule: string;
}

export interface Asked {
  readonly evidence: Evidence;
  readonly provider: Provider | null;
}

export type Step = (asked: Asked) => Classification | null;

/** Provider rows: the codes that a provider documents, or is known to send. */
export function byCode(groups: readonly CodeGroup[]): Step {
  return ({ evidence, provider }) => {
    for (const code of evidence.codes) {
      for (const group of groups) {
        if (provider !== null && group.provider !== null && group.provider !== provider) continue;
        const found = classOf(group, code);
        if (found !== null) return verdict(found, code, `${group.provider ?? 'code'}:${code}`);
      }
    }
    return null;
  };
}

function classOf(group: CodeGroup, code: string): FailureClass | null {
  for (const [failureClass, codes] of Object.entries(group.classes)) {
    if (codes.includes(code)) return failureClass as FailureClass;
  }
  return null;
}

/** Also as the class names that libraries make of the codes: `InvalidGrantError`. */
export function byRfc6749({ evidence }: Asked): Classification | null {
  for (const code of evidence.codes) {
    const name = OAUTH_ERRORS.has(code) ? code : code.replace(/_(?:error|exception)$/, '');
    const known = OAUTH_ERRORS.get(name);
    // OpenAI and Anthropic call every refusal an `invalid_request_error`; it says nothing.
    if (known !== undefined && code !== 'invalid_request_error') return verdict(known.class, name, `rfc6749:${name}`);
  }
  return null;
}

export function byShape(shapes: readonly CodeShape[]): Step {
  return ({ evidence }) => {
    for (const shape of shapes) {
      if (evidence.codes.some((code) => shape.pattern.test(code))) {
        return verdict(shape.class, shape.code, `shape:${shape.code}`);
      }
    }
    return null;
  };
}

export function byPhrase(phrases: readonly Phrase[]): Step {
  return ({ evidence }) => {
    for (const { class: failureClass, code, pattern } of phrases) {
      if (evidence.messages.some((message) => pattern.test(message))) {
        return verdict(failureClass, code, `phrase:${code}`);
      }
    }
    return null;
  };
}

export function limited({ evidence: { status } }: Asked): Classification | null {
  return status === 429 || status === 402 ? verdict('rate_limited', statusCode(status), `status:${status}`) : null;
}

/** Whatever is said with these, it is about the moment: outages, proxies, redirects, no answer at all. */
export function passingStatus({ evidence: { status } }: Asked): Classification | null {
  if (status === null) return null;
  const isPassing = status === 0 || status >= 500 || (status >= 300 && status < 400) || PASSING_STATUSES.has(status);
  return isPassing ? verdict('transient', statusCode(status), `status:${status}`) : null;
}

/** curl(1), EXIT CODES: `curl: (6) …`. What it says of the network passes; what it says of its arguments does not. */
export function curlExit({ evidence }: Asked): Classification | null {
  for (const message of evidence.messages) {
    const exit = /^curl: \((\d{1,2})\) /.exec(message)?.[1];
    if (exit === undefined) continue;
    const failureClass = CURL_CONFIG.has(Number(exit)) ? 'config' : 'transient';
    return verdict(failureClass, `curl_${exit}`, `curl:${exit}`);
  }
  return null;
}

export function when(condition: (asked: Asked) => boolean, ...steps: readonly Step[]): Step {
  return (asked) => {
    if (!condition(asked)) return null;
    for (const step of steps) {
      const found = step(asked);
      if (found !== null) return found;
    }
    return null;
  };
}

export function isPageOfAnyKind({ evidence }: Asked): boolean {
  return evidence.isPage;
}

export function hasStatus(...statuses: readonly (number | null)[]): (asked: Asked) => boolean {
  return ({ evidence }) => statuses.includes(evidence.status);
}

export function verdict(failureClass: FailureClass, code: string, rule: string): Classification {
  return { class: failureClass, code, rule };
}

export function statusCode(status: number | null): string {
  return status === null ? 'unrecognized_error' : `http_${status}`;
}

const PASSING_STATUSES: ReadonlySet<number> = new Set([407, 408, 425]);

/** Protocol, initialization, URL, missing feature, local files and options. */
const CURL_CONFIG: ReadonlySet<number> = new Set([1, 2, 3, 4, 26, 27, 37, 41, 43, 48, 53, 58, 66, 77]);
