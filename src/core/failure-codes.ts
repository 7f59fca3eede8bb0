/**
 * Codes of errors and the class of each, by context and provider.
 *
 * Rule: data, with the source of each group; codes are normalized (lower case, underscores). What two groups say
 * differently is decided by their order: provider, RFC 6749, then the shape of a code nobody has listed.
 */
import type { FailureClass } from './failure.ts';

export const PROVIDERS = [
  'anthropic',
  'aws',
  'discord',
  'firebase',
  'github',
  'google',
  'microsoft',
  'openai',
  'slack',
  'supabase',
  'telegram',
  'xai',
] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Codes of one provider; null where several share them. */
export interface CodeGroup {
  readonly provider: Provider | null;
  readonly classes: Readonly<Partial<Record<FailureClass, readonly string[]>>>;
}

/** Answers of token endpoints, ahead of RFC 6749. */
export const TOKEN_ENDPOINT_CODES: readonly CodeGroup[] = [
  {
    // learn.microsoft.com/entra/identity-platform/reference-error-codes
    provider: 'microsoft',
    classes: {
      terminal: aadsts(
        ...[50034, 50053, 50055, 50057, 50058, 50072, 50074, 50076, 50078, 50079, 50132, 50133, 50140, 50144, 50173],
        ...[53000, 53001, 53002, 53003, 53004, 54005, 65001, 65004, 70000, 70008, 70043, 160021, 700003, 700081],
        ...[700082, 700084, 7000014],
      ),
      config: aadsts(
        ...[50011, 50049, 50105, 50194, 500011, 65005, 70001, 70002, 70003, 70005, 70011, 90002, 90014, 900023, 900144],
        ...[650052, 650053, 650056, 650057, 700016, 700021, 700022, 700023, 700024, 700025, 700027, 7000112, 7000113],
        ...[7000215, 7000218, 7000222, 9002313],
      ),
      rate_limited: aadsts(50196, 90055),
      transient: aadsts(90004, 90006, 90012, 90022, 90024, 90033, 90041, 90090, 50000, 50001, 50002, 50087, 50089),
    },
  },
  {
    provider: 'openai',
    classes: {
      terminal: ['refresh_token_expired', 'refresh_token_reused', 'refresh_token_invalidated', 'token_expired'],
    },
  },
  {
    provider: 'google',
    classes: {
      terminal: ['invalid_rapt', 'rapt_required', 'reauth_required'],
      config: ['deleted_client', 'disabled_client', 'restricted_client', 'org_internal', 'admin_policy_enforced'],
    },
  },
  {
    provider: 'github',
    classes: {
      terminal: ['bad_refresh_token', 'bad_verification_code'],
      config: ['incorrect_client_credentials', 'redirect_uri_mismatch', 'unverified_user_email'],
    },
  },
  {
    // docs.slack.dev/reference/methods/oauth.v2.access
    provider: 'slack',
    classes: {
      terminal: ['invalid_refresh_token', 'token_revoked', 'account_inactive', 'org_login_required'],
      config: [
        'bad_client_secret',
        'invalid_client_id',
        'bad_redirect_uri',
        'invalid_grant_type',
        'oauth_authorization_url_mismatch',
      ],
      transient: ['fatal_error', 'internal_error', 'service_unavailable'],
    },
  },
  {
    provider: 'supabase',
    classes: {
      terminal: [
        'refresh_token_not_found',
        'refresh_token_already_used',
        'session_not_found',
        'session_expired',
        'user_banned',
      ],
    },
  },
  {
    // Identity Toolkit: firebase.google.com/docs/reference/rest/auth
    provider: 'firebase',
    classes: {
      terminal: ['invalid_refresh_token', 'user_disabled', 'user_not_found'],
      config: ['missing_refresh_token', 'invalid_grant_type', 'project_number_mismatch', 'api_key_invalid'],
    },
  },
  {
    provider: 'aws',
    // Cognito's user pools, and the OIDC service of IAM Identity Center.
    classes: {
      terminal: [
        'not_authorized_exception',
        'user_not_found_exception',
        'expired_token_exception',
        'unauthorized_exception',
      ],
      config: ['resource_not_found_exception', 'invalid_parameter_exception', 'access_denied_exception'],
    },
  },
  {
    provider: 'xai',
    classes: { config: ['permission_denied', 'xai_oauth_tier_denied'] },
  },
  {
    // OpenID Connect Core 3.1.2.6, which some token endpoints send as well: only a person at a browser can go on.
    provider: null,
    classes: { terminal: ['interaction_required', 'login_required', 'consent_required', 'account_selection_required'] },
  },
  {
    // RFC 8707, RFC 9449, RFC 7009
    provider: null,
    classes: { config: ['invalid_target', 'invalid_dpop_proof', 'use_dpop_nonce', 'unsupported_token_type'] },
  },
];

/** RFC 6749 §4.1.2.1: no answer to a refresh, but a server sends it whose owner's rule refuses one; its words go first. */
export const TOKEN_ENDPOINT_WEAK_CODES: readonly CodeGroup[] = [
  { provider: null, classes: { config: ['access_denied'] } },
];

/** Answers of APIs to which a token was shown. `transient` is "refresh once, then judge". */
export const API_CODES: readonly CodeGroup[] = [
  {
    provider: 'xai',
    classes: {
      transient: ['unauthenticated_bad_credentials'],
      rate_limited: ['personal_team_blocked_spending_limit'],
      config: ['permission_denied'],
    },
  },
  {
    provider: 'openai',
    classes: {
      transient: ['token_expired'],
      terminal: ['token_revoked', 'token_invalidated', 'account_deactivated', 'invalid_api_key'],
      config: ['unsupported_country_region_territory', 'missing_scope', 'organization_required'],
      rate_limited: ['insufficient_quota', 'usage_limit_reached', 'usage_not_included', 'billing_hard_limit_reached'],
      not_auth: [
        'content_policy_violation',
        'content_filter',
        'context_length_exceeded',
        'model_not_found',
        'cyber_policy_violation',
      ],
    },
  },
  {
    provider: 'slack',
    classes: {
      transient: ['token_expired', 'internal_error', 'fatal_error', 'service_unavailable'],
      terminal: ['token_revoked', 'account_inactive', 'invalid_auth', 'org_login_required'],
      config: [
        'not_authed',
        'missing_scope',
        'not_allowed_token_type',
        'no_permission',
        'ekm_access_denied',
        'access_denied',
      ],
      rate_limited: ['ratelimited'],
    },
  },
  {
    provider: 'google',
    classes: {
      rate_limited: [
        'rate_limit_exceeded',
        'user_rate_limit_exceeded',
        'daily_limit_exceeded',
        'quota_exceeded',
        'resource_exhausted',
      ],
      config: [
        'access_token_scope_insufficient',
        'service_disabled',
        'access_not_configured',
        'insufficient_permissions',
      ],
      transient: ['access_token_expired', 'auth_error'],
    },
  },
  {
    provider: 'anthropic',
    classes: {
      rate_limited: ['rate_limit_error', 'billing_error'],
      transient: ['overloaded_error', 'api_error', 'timeout_error'],
      not_auth: ['not_found_error', 'request_too_large'],
      config: ['oauth_org_not_allowed'],
    },
  },
  {
    // docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
    provider: 'aws',
    classes: {
      transient: ['expired_token', 'expired_token_exception', 'request_expired', 'token_refresh_required'],
      terminal: ['invalid_client_token_id', 'invalid_access_key_id', 'unrecognized_client_exception'],
      config: [
        'signature_does_not_match',
        'request_time_too_skewed',
        'missing_authentication_token',
        'missing_authentication_token_exception',
        'incomplete_signature',
        'access_denied_exception',
      ],
    },
  },
  {
    // RFC 6750 §3.1
    provider: null,
    classes: { transient: ['invalid_token', 'expired_token'], config: ['insufficient_scope'] },
  },
];

/** Where neither code nor message of an API is known: its own word for "not you". */
export const API_WEAK_CODES: readonly CodeGroup[] = [
  {
    provider: null,
    classes: {
      transient: [
        'unauthenticated',
        'unauthorized',
        'not_authenticated',
        'authentication_error',
        'authentication_failed',
      ],
      config: ['forbidden', 'permission_denied', 'access_denied', 'request_forbidden', 'unsupported_auth'],
    },
  },
];

/** Its word for "not this": about the request, unless the status says that it is about the caller. */
export const API_REQUEST_CODES: readonly CodeGroup[] = [
  {
    provider: null,
    classes: {
      not_auth: ['invalid_request_error', 'invalid_request', 'invalid_argument', 'not_found', 'validation_error'],
    },
  },
];

function aadsts(...numbers: readonly number[]): string[] {
  return numbers.map((number) => `aadsts_${number}`);
}
