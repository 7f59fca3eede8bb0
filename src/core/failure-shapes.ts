/**
 * Shapes of codes that stand in no list: what the words of a code say, by context.
 *
 * Rule: data; asked after the lists of failure-codes.ts. Codes are normalized, and each word is bounded by underscores.
 */
import type { FailureClass } from './failure.ts';

/** The shape of a code that stands in no list: its words, each bounded by underscores. */
export interface CodeShape {
  readonly class: FailureClass;
  readonly code: string;
  readonly pattern: RegExp;
}

const LIMITS: CodeShape = {
  class: 'rate_limited',
  code: 'rate_limited',
  pattern:
    /(?:^|_)(?:rate_?limit(?:s|ed|ing)?|too_many_requests|throttl(?:ed|ing)|quota|resource_exhausted|usage_limit|limit_exceeded|limit_reached|spending_limit|slow_down|insufficient_(?:credits?|balance|funds|quota)|payment_required)(?:_|$)/,
};

const OUTAGES: CodeShape = {
  class: 'transient',
  code: 'server_error',
  pattern:
    /(?:^|_)(?:overloaded|(?:temporarily|service)_unavailable|unavailable|internal(?:_server)?_error|server_error|gateway_timeout|bad_gateway|deadline_exceeded)(?:_|$)/,
};

const CLIENTS: CodeShape = {
  class: 'config',
  code: 'invalid_client',
  pattern:
    /(?:^|_)(?:invalid|bad|unknown|incorrect|missing|deleted|disabled|expired|unauthorized)_(?:oauth_)?client(?:_(?:id|secret|credentials?))?(?:_|$)|(?:^|_)client_(?:not_found|disabled|unknown|secret_(?:missing|expired|required))(?:_|$)/,
};

const ACCOUNTS: CodeShape = {
  class: 'terminal',
  code: 'account_gone',
  pattern:
    /(?:^|_)(?:inactive|deactivated|suspended|disabled|banned|deleted|locked)_(?:user|account|org|organization)(?:_|$)|(?:^|_)(?:user|account)_(?:is_|was_)?(?:inactive|deactivated|suspended|disabled|banned|deleted|locked)(?:_|$)/,
};

export const TOKEN_ENDPOINT_SHAPES: readonly CodeShape[] = [
  LIMITS,
  {
    class: 'terminal',
    code: 'refresh_token_dead',
    pattern:
      /(?:^|_)(?:token|session|grant|jwt)_(?:is_|was_|already_)?(?:expired|revoked|reused|used|invalidated|invalid|inactive|not_found|not_active|not_valid|missing_or_invalid)(?:_|$)|(?:^|_)(?:expired|revoked|reused|invalid|bad|unknown)_(?:(?:refresh|auth|oauth|access)_)?(?:token|session)(?:_|$)/,
  },
  ACCOUNTS,
  CLIENTS,
  { class: 'config', code: 'invalid_scope', pattern: /(?:^|_)scopes?(?:_|$)/ },
  { class: 'config', code: 'not_allowed_here', pattern: /(?:^|_)(?:country|region|territory|location|geo)(?:_|$)/ },
  OUTAGES,
];

export const API_SHAPES: readonly CodeShape[] = [
  LIMITS,
  ACCOUNTS,
  {
    class: 'terminal',
    code: 'token_revoked',
    pattern:
      /(?:^|_)(?:token|session|key)_(?:is_|was_)?(?:revoked|invalidated|deactivated|disabled|inactive|deleted)(?:_|$)/,
  },
  {
    class: 'transient',
    code: 'token_expired',
    pattern:
      /(?:^|_)(?:token|session|jwt|key|credentials?|authentication)_(?:is_|has_)?expired(?:_|$)|(?:^|_)expired_(?:\w+_)?(?:token|authentication|session|session_id)(?:_|$)|(?:^|_)invalid_session(?:_id)?(?:_|$)|(?:^|_)token_(?:is_)?(?:invalid|not_valid)(?:_|$)/,
  },
  {
    class: 'not_auth',
    code: 'refused_content',
    pattern: /(?:^|_)(?:content_(?:policy|filter|blocked)|safety|moderation|policy_violation|refusal)(?:_|$)/,
  },
  {
    class: 'config',
    code: 'insufficient_scope',
    pattern: /(?:^|_)(?:scopes?|country|region|territory|location|geo|sso|saml|ip_(?:address|allow))(?:_|$)/,
  },
  OUTAGES,
];
