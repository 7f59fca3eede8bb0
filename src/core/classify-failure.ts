/**
 * The classifier: from a failure as a server, an API, a script or an agent shows it, to its class and the rule that decided.
 *
 * Rule: each context is a list of steps, asked in order; the first that knows decides, and none means that nothing here
 * is about the token. Tables hold the knowledge (failure-codes, failure-phrases), evidence is what they are shown.
 */
import {
  type Asked,
  byCode,
  byPhrase,
  byRfc6749,
  byShape,
  type Classification,
  curlExit,
  hasStatus,
  isPageOfAnyKind,
  limited,
  passingStatus,
  type Step,
  statusCode,
  verdict,
  when,
} from './classify-steps.ts';
import {
  API_CODES,
  API_REQUEST_CODES,
  API_WEAK_CODES,
  type Provider,
  TOKEN_ENDPOINT_CODES,
  TOKEN_ENDPOINT_WEAK_CODES,
} from './failure-codes.ts';
import { type Envelope, envelopeIn } from './failure-envelope.ts';
import { type Evidence, evidenceOfAnswer, evidenceOfData, evidenceOfLines } from './failure-evidence.ts';
import {
  API_LATE_MESSAGES,
  API_MESSAGES,
  ASSERTIONS,
  CLIENTS,
  DEAD_GRANTS,
  ENTITLEMENTS,
  LIMITS,
  NOT_SENT,
  ONE_REQUEST,
  RIGHTS,
} from './failure-phrases.ts';
import { API_SHAPES, TOKEN_ENDPOINT_SHAPES } from './failure-shapes.ts';
import { LOGINS, MACHINE, PASSING, SETUP, TRANSPORT } from './failure-tool-phrases.ts';

/** Who wrote the text: a token endpoint, an API that was shown a token, a refresh script on stderr, or an agent. */
export const FAILURE_CONTEXTS = ['token-endpoint', 'api', 'script-stderr', 'agent-text'] as const;
export type FailureContext = (typeof FAILURE_CONTEXTS)[number];

export interface FailureSighting {
  readonly context: FailureContext;
  /** 0 is "no response at all"; null when it is not known. */
  readonly httpStatus: number | null;
  /** The body, or what was printed; an empty one says something too. */
  readonly text: string;
  /** Known by configuration; without it the codes of all providers count, which do not contradict each other. */
  readonly provider?: Provider | null;
}

/**
 * Classifies one failure.
 * @returns `not_auth` with the rule `none` when nothing in it is known to concern a token; never throws
 */
export function classifyFailure(sighting: FailureSighting): Classification {
  const { httpStatus } = sighting;
  const isStatus = httpStatus !== null && Number.isInteger(httpStatus) && httpStatus >= 0 && httpStatus <= 599;
  const asked = askedOf({ ...sighting, httpStatus: isStatus ? httpStatus : null });
  for (const step of STEPS[sighting.context]) {
    const verdict = step(asked);
    if (verdict !== null) return verdict;
  }
  return { class: 'not_auth', code: 'none', rule: 'none' };
}

function askedOf({ context, httpStatus, text, provider = null }: FailureSighting): Asked {
  const envelope = envelopeIn(text);
  switch (context) {
    case 'token-endpoint':
      return { evidence: evidenceOfAnswer({ text, status: httpStatus }), provider };
    case 'api': {
      const read = { text: envelope?.message ?? text, status: httpStatus ?? envelope?.status ?? null };
      const isData = read.status !== null && read.status >= 200 && read.status < 300;
      const evidence = isData ? evidenceOfData(read) : evidenceOfAnswer(read);
      return { evidence: withCode(evidence, envelope), provider };
    }
    case 'script-stderr': {
      // A tool's own sentence is a line like any other, wherever it stands.
      const said = envelope?.message ? `${text}\n${envelope.message}` : text;
      const evidence = evidenceOfLines({ text: said, status: httpStatus ?? envelope?.status ?? null });
      return { evidence: withCode(evidence, envelope), provider };
    }
    case 'agent-text':
      // Only what the tool filled in: no message, however much it looks like one.
      return {
        evidence: withCode(evidenceOfAnswer({ text: '', status: envelope?.status ?? null }), envelope),
        provider,
      };
  }
}

function withCode(evidence: Evidence, envelope: Envelope | null): Evidence {
  if (envelope?.code == null) return evidence;
  return { ...evidence, codes: [...evidence.codes, envelope.code.toLowerCase()], isStructured: true };
}

const STEPS: Readonly<Record<FailureContext, readonly Step[]>> = {
  'token-endpoint': [
    when(isPageOfAnyKind, limited, () => verdict('transient', 'not_an_answer', 'page')),
    dyingAssertion,
    byCode(TOKEN_ENDPOINT_CODES),
    byRfc6749,
    byShape(TOKEN_ENDPOINT_SHAPES),
    limited,
    passingStatus,
    when(
      hasStatus(200, 400, 401, 403, 422, null),
      ...[byPhrase(LIMITS), byPhrase(NOT_SENT), byPhrase(DEAD_GRANTS), byPhrase(CLIENTS)],
    ),
    when(hasStatus(403), byPhrase(ENTITLEMENTS), notEntitledAtXai),
    byCode(TOKEN_ENDPOINT_WEAK_CODES),
    byPhrase(TRANSPORT),
    // No code, and nothing known: a race that was lost, a proxy, an outage. Look again before anything is concluded.
    ({ evidence }) => verdict('transient', statusCode(evidence.status), 'unexplained'),
  ],
  api: [
    when(isPageOfAnyKind, limited, () => verdict('transient', 'not_an_answer', 'page')),
    revokedInWords,
    byCode(API_CODES),
    byShape(API_SHAPES),
    limited,
    when(isAboutAccess, byPhrase(LIMITS)),
    passingStatus,
    when(isAboutAccess, byPhrase(API_MESSAGES), relogin, byPhrase(API_LATE_MESSAGES)),
    byCode(API_WEAK_CODES),
    when(hasStatus(403), byPhrase(ONE_REQUEST), byPhrase(RIGHTS)),
    when((asked) => !isRefused(asked), byCode(API_REQUEST_CODES)),
    when(hasStatus(401), () => verdict('transient', 'http_401', 'status:401')),
    when(hasStatus(403), forbidden),
    when(hasStatus(null), byPhrase(TRANSPORT)),
  ],
  'script-stderr': [
    dyingAssertion,
    byCode(TOKEN_ENDPOINT_CODES),
    byRfc6749,
    byPhrase(PASSING),
    byPhrase(DEAD_GRANTS),
    byPhrase(LOGINS),
    byCode(API_CODES),
    byShape(TOKEN_ENDPOINT_SHAPES),
    limited,
    byPhrase(LIMITS),
    byPhrase(CLIENTS),
    passingStatus,
    curlExit,
    byPhrase(TRANSPORT),
    byPhrase(MACHINE),
    byPhrase(SETUP),
    byCode(API_WEAK_CODES),
    when(isPageOfAnyKind, () => verdict('transient', 'not_an_answer', 'page')),
    // A refusal without a reason: the token endpoint's or an API's, nobody knows.
    ({ evidence }) =>
      evidence.status === null ? null : verdict('transient', statusCode(evidence.status), `status:${evidence.status}`),
  ],
  'agent-text': [
    byCode(API_CODES),
    byShape(API_SHAPES),
    limited,
    passingStatus,
    byCode(API_WEAK_CODES),
    byCode(API_REQUEST_CODES),
    when(hasStatus(401), () => verdict('transient', 'http_401', 'status:401')),
    when(hasStatus(403), () => verdict('config', 'http_403', 'status:403')),
  ],
};

/** `invalid_grant` for a JWT that is wrong or out of time; the grant itself lives. */
function dyingAssertion(asked: Asked): Classification | null {
  const found = asked.evidence.codes.includes('invalid_grant') ? byPhrase(ASSERTIONS)(asked) : null;
  return found === null ? null : verdict(found.class, found.code, `google:${found.code}`);
}

/** RFC 6750 has one code for a token that ended and one that was taken back; only the words tell. */
function revokedInWords(asked: Asked): Classification | null {
  const found = asked.evidence.codes.includes('invalid_token') ? byPhrase(API_MESSAGES)(asked) : null;
  return found?.class === 'terminal' ? found : null;
}

const isRefused = hasStatus(401, 403);

/** A person's login ended, said with a status that is about access. */
function relogin(asked: Asked): Classification | null {
  const { evidence } = asked;
  const isExpiredToken = API_MESSAGES.some(
    ({ code, pattern }) => code === 'token_expired' && evidence.messages.some((message) => pattern.test(message)),
  );
  return isExpiredToken ? null : byPhrase(LOGINS)(asked);
}

/** xAI refuses the plan with a JSON body whose words vary. */
function notEntitledAtXai({ evidence, provider }: Asked): Classification | null {
  return provider === 'xai' && evidence.isStructured ? verdict('config', 'not_entitled', 'xai:403') : null;
}

/** Rights in an object of the API's, a refusal to help in prose: neither is cured by another token. */
function forbidden({ evidence }: Asked): Classification {
  const isProse = !evidence.isStructured && evidence.messages.length > 0;
  return isProse ? verdict('not_auth', 'http_403', 'status:403:prose') : verdict('config', 'http_403', 'status:403');
}

/** The statuses by which APIs refuse a caller, or an error that came without one, or with that of a success. */
function isAboutAccess({ evidence: { status, isStructured } }: Asked): boolean {
  if (status === 400 || status === 401 || status === 403) return true;
  return isStructured && (status === null || (status >= 200 && status < 300));
}
