/**
 * Sentences that servers are known to write, by the grammar of the sentence rather than its exact words.
 *
 * Rule: data. They are matched against messages and reported lines only, never against what an agent wrote. Within a
 * table the first match wins. Every repetition is bounded, since the text is anybody's. Tools' own: failure-tool-phrases.ts.
 */
import type { FailureClass } from './failure.ts';

export interface Phrase {
  readonly class: FailureClass;
  /** Stable; also the name of the rule. */
  readonly code: string;
  readonly pattern: RegExp;
}

/** A signed assertion that is wrong, or out of time: said with `invalid_grant`, but no grant has died. */
export const ASSERTIONS: readonly Phrase[] = [
  {
    class: 'config',
    code: 'invalid_assertion',
    pattern:
      /\binvalid (?:jwt|assertion)\b|\bjwt (?:signature|assertion)\b|\bclock skew\b|\bclock with skew\b|\bassertion (?:is )?(?:invalid|expired)\b/i,
  },
];

export const LIMITS: readonly Phrase[] = [
  {
    class: 'rate_limited',
    code: 'rate_limited',
    pattern:
      /\brate[ -]?limit(?:s|ed)?\b(?! (?:of|is|are|was|for)\b)|\btoo many (?:requests|attempts)\b|\brequest (?:rate )?limit (?:reached|exceeded)\b|\brate exceeded\b|请求过于频繁|限流/i,
  },
  {
    class: 'rate_limited',
    code: 'quota_exceeded',
    pattern:
      /\b(?:usage|weekly|daily|monthly|hourly|session|5-hour|spending|message|request|token|quota|opus|plan)[ _](?:quota |usage )?limits? (?:has been |was |is )?(?:reached|exceeded|hit)\b|\b(?:hit|reached|exceeded|exceeds?|exceeding) (?:your|the|its|their) (?:\w+ ){0,3}(?:limit|quota)\b|\b(?:quota|limit|credits?|balance)\b.{0,24}\b(?:exceeded|exhausted|depleted|insufficient|too low|used up|run out)\b|\b(?:insufficient|exceeded|exhausted|no remaining|run out of|out of) (?:\w+ ){0,2}(?:quota|credits?|balance|funds)\b|\bpayment required\b|\breach(?:ed)? (?:the )?max(?:imum)?\b.{0,40}\b(?:limit|quota|calls|requests)\b|\bresource (?:has been )?exhausted\b|\bquota_exceeded\b/i,
  },
  // Said by many resellers of model APIs, which answer in their own language.
  {
    class: 'rate_limited',
    code: 'quota_exceeded',
    pattern: /(?:额度|余额|配额|用量|次数)[^。，,]{0,8}(?:不足|用完|用尽|耗尽|已满|超|上限)|充值/,
  },
];

/** The refresh token, or the whole login, is of no more use. */
export const DEAD_GRANTS: readonly Phrase[] = [
  {
    class: 'terminal',
    code: 'refresh_token_dead',
    pattern:
      /\brefresh[ _-]?tokens?\b["']?(?: \S{1,24}){0,4}?[ :](?:already (?:been )?(?:used|exchanged|redeemed|rotated)|expired|revoked|invalidated|invalid|inactive|reused|not (?:active|found|valid|recognized)|no longer valid|could not be (?:found|validated)|does not exist)\b/i,
  },
  {
    class: 'terminal',
    code: 'refresh_token_dead',
    pattern:
      /\b(?:invalid|expired|revoked|unknown|bad|stale|reused|missing or invalid)(?:,? (?:or|and)? ?(?:invalid|expired|revoked|unknown))? (?:oauth )?refresh[ _-]token\b/i,
  },
  {
    class: 'terminal',
    code: 'refresh_token_dead',
    pattern:
      /\b(?:no|without a|missing(?: its)?|lacks a) refresh[ _]token\b(?! (?:in|parameter|was sent))|\bis missing (?:access|refresh)_token\b|\brefresh[ _]token is not (?:set|available|present)\b/i,
  },
  {
    class: 'terminal',
    code: 'refresh_token_dead',
    pattern: /(?:刷新令牌|refresh_?token)\s?(?:已|无效|不存在)(?:过期|失效|撤销|被吊销)?/i,
  },
];

/** Nothing was sent in its place: the store is blank, or the request was built wrongly. */
export const NOT_SENT: readonly Phrase[] = [
  {
    class: 'config',
    code: 'refresh_token_not_sent',
    pattern:
      /\brefresh[ _]?token\b["'`]?:? (?:(?:is|was|must be|cannot be|can't be|must not be) )?(?:an )?(?:empty|blank|null|required|missing|not (?:provided|sent|set|given))\b|\b(?:missing|empty|blank|required)(?: required)?(?: (?:parameter|field|value))?:? ["'`]?refresh[ _]?token\b/i,
  },
];

/** The client, not the grant. */
export const CLIENTS: readonly Phrase[] = [
  {
    class: 'config',
    code: 'client_secret_missing',
    pattern:
      /\bclient[ _]secret["']? (?:is |was )?(?:missing|required|not (?:set|provided))\b|\b(?:missing|no|required:?) (?:required )?(?:parameter:? )?["']?client[ _](?:secret|id)\b|\bclient[ _]id["']? (?:is |was )?(?:missing|required|not (?:set|provided))\b/i,
  },
  {
    class: 'config',
    code: 'invalid_client',
    pattern:
      /\b(?:unknown|invalid|bad|incorrect|unrecognized|disabled) (?:oauth )?client(?:[ _](?:id|secret|credentials?))?\b|\bclient (?:with id |application |app |id |secret |authentication |credentials )?(?:\S{1,64} ){0,2}?(?:is |was |are )?(?:not (?:found|registered|recognized|allowed)|failed|disabled|deleted|invalid|incorrect|expired|unknown)\b/i,
  },
  {
    class: 'config',
    code: 'invalid_scope',
    pattern:
      /\b(?:unknown|invalid|unsupported|malformed) scopes?\b|\bscopes? (?:\S{1,64} ){0,2}(?:is |are |was )?(?:not (?:allowed|supported|valid|granted)|invalid|unknown)\b/i,
  },
  {
    class: 'config',
    code: 'unsupported_grant_type',
    pattern: /\b(?:unsupported|invalid|unknown) grant[ _]type\b|\bgrant[ _]type\b.{0,32}\bnot supported\b/i,
  },
  {
    class: 'config',
    code: 'invalid_request',
    pattern:
      /\b(?:missing|invalid|malformed) (?:required )?(?:oauth )?(?:parameters?|request body|content[ -]type)\b|\binvalid oauth request\b|\binvalid ['"`]\w{1,40}['"`]: (?:empty|expected)|\b(?:field|parameter) (?:is )?(?:required|missing)\b/i,
  },
];

/** With 403 at a token endpoint: the account may not have this. */
export const ENTITLEMENTS: readonly Phrase[] = [
  {
    class: 'config',
    code: 'not_entitled',
    pattern:
      /\bpermission[ _-]denied\b|\bnot (?:entitled|eligible|authorized to use|included)\b|\b(?:tier|plan|subscription|entitlement)\b|\baccess (?:is )?denied\b/i,
  },
];

/** What APIs write with 400, 401, 402 and 403, or into an error without a status. */
export const API_MESSAGES: readonly Phrase[] = [
  {
    class: 'config',
    code: 'token_not_sent',
    pattern:
      /\b(?:missing|no|without|not (?:provide|send|include)|didn't (?:provide|send|include)|lacks?|absent)\b[^.]{0,32}?\b(?:bearer|authorization|api key|x-api-key|credentials? header|auth header|access token)\b(?! (?:is|has|was) )|\b(?:authorization|x-api-key|api[- ]key|bearer)\b(?: \w+){0,3} (?:is |was )?(?:missing|required|not (?:provided|found|present|sent))\b|\bcredentials (?:were|are) (?:missing|required|not (?:provided|found|present|sent|given))\b(?! or\b)/i,
  },
  // Bot interfaces put the code before its words; these are the ones that notifiers talk to.
  {
    class: 'config',
    code: 'notifier_token',
    pattern: /^(?:\W{0,2}\w{0,40}error: )?(?:.{0,80}\()?401: unauthorized\)?$|\b(?:unknown|invalid) webhook\b/i,
  },
  {
    class: 'config',
    code: 'not_allowed_here',
    pattern:
      /\b(?:oauth|authentication|auth|bearer|tokens?|this (?:auth|method))\b[^.]{0,48}\b(?:not|isn't|aren't) (?:currently |yet )?(?:supported|allowed|enabled|permitted|accepted|available)\b|\bonly (?:authorized|allowed|valid|permitted) for (?:use with )?\w/i,
  },
  // It may be one or the other: to refresh once tells.
  {
    class: 'transient',
    code: 'token_expired',
    pattern:
      /\b(?:expired|invalid|malformed)\b,?(?: or| and\/or)?(?: has been)? (?:revoked|invalidated)\b|\b(?:revoked|invalidated),?(?: \w{1,12},)?(?: or| and\/or) (?:\w{1,12} ){0,2}(?:expired|invalid|malformed)\b/i,
  },
  {
    class: 'terminal',
    code: 'account_gone',
    pattern:
      /\bno longer (?:a )?(?:member|part|active|belongs?)\b|\b(?:account|user|workspace|organi[sz]ation|membership)\b(?: \S{1,24}){0,4}? (?:has been |have been |was |is |been )?(?:deactivated|disabled|suspended|deleted|banned|terminated|closed|removed)\b/i,
  },
  {
    class: 'terminal',
    code: 'token_revoked',
    pattern:
      /\b(?:tokens?|grant|access|authorization|credentials?|key)\b(?: \S{1,24}){0,6}? (?:has been |have been |was |been |is )?(?:revoked|invalidated)\b|\b(?:revoked|invalidated) (?:\w+ )?(?:token|key|credential)s?\b|(?:令牌|token|密钥)\s?已?被?(?:吊销|撤销)/i,
  },
  {
    class: 'config',
    code: 'insufficient_scope',
    pattern:
      /\bscopes?\b|\binsufficient (?:authentication |permissions?|privileges?)|\bSAML\b|\bSSO (?:enforcement|authorization)\b|\b(?:country|region|territory|location)\b[^.]{0,32}\bnot (?:supported|available|allowed)\b|\bnot (?:supported|available|allowed) in your (?:country|region|territory|location)\b/i,
  },
  {
    class: 'transient',
    code: 'token_expired',
    pattern:
      /\b(?:(?:access_)?tokens?|jwt|access|credentials?|session)\b(?: \S{1,24}){0,3}? (?:has |have |is |was |may have |are )?(?:already )?expired\b|\bexpired (?:or (?:invalid|revoked) )?(?:\w+ )?(?:token|credential|jwt|session)s?\b|\binvalid or expired\b|\bjwt expired\b|(?:令牌|token|凭证)\s?已?过期/i,
  },
];

/** The same, but only once nothing above was found: the weaker half. */
export const API_LATE_MESSAGES: readonly Phrase[] = [
  {
    class: 'terminal',
    code: 'token_invalid',
    pattern:
      /\binvalid (?:(?:oauth2?|bearer|access|auth(?:entication)?|api|refresh) )?token\b|\btoken (?:is |was )?(?:invalid|malformed|unknown|not (?:found|recognized|valid))\b|\btoken was not found\b/i,
  },
  {
    class: 'not_auth',
    code: 'refused_content',
    pattern:
      /\bi(?:'m| am)? (?:sorry|can't|cannot|can not|won't|unable)\b|\b(?:usage|content|safety|acceptable use) (?:policy|policies|system|guidelines)\b|\bsafety system\b|\bflagged\b|\bharmful\b|\bprompt (?:was |is )?(?:too long|blocked|rejected)\b/i,
  },
];

/** A refusal of one request: the same token works before and after it. */
export const ONE_REQUEST: readonly Phrase[] = [
  { class: 'transient', code: 'request_refused', pattern: /\brequest (?:is |was )?not allowed\b/i },
];

/** 403 in words that are about rights. */
export const RIGHTS: readonly Phrase[] = [
  {
    class: 'config',
    code: 'permission_denied',
    pattern:
      /\bpermissions?\b|\bforbidden\b|\bnot (?:authorized|permitted|allowed|have access)\b|\baccess\b[^.]{0,40}\bdenied\b|\bdoes not have (?:access|permission)\b|\bmust have \w+ rights\b|\borgani[sz]ation\b|无权|权限/i,
  },
];
