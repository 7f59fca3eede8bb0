/**
 * The classifier against reported failures, variants of them, and texts that only look like one.
 *
 * The fixtures are JSON lines: `context`, `http_status`, `body_or_stderr`, `expected`; `ambiguous` where the text alone
 * cannot decide; `thread` where somebody reported it.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyFailure, FAILURE_CONTEXTS, type FailureContext } from '../../src/core/classify-failure.ts';
import { FAILURE_CLASSES, type FailureClass } from '../../src/core/failure.ts';
import { PROVIDERS } from '../../src/core/failure-codes.ts';

interface Fixture {
  readonly context: FailureContext;
  readonly http_status: number | null;
  readonly body_or_stderr: string;
  readonly expected: FailureClass;
  readonly ambiguous?: true;
}

function fixtures(name: string): readonly Fixture[] {
  const text = readFileSync(new URL(`../fixtures/failures/${name}.jsonl`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Fixture);
}

const classify = (context: FailureContext, httpStatus: number | null, text: string) =>
  classifyFailure({ context, httpStatus, text });

/** Those that got another class, with the rule that is to blame. */
function misjudged(rows: readonly Fixture[], change: (text: string) => string = (text) => text): readonly object[] {
  return rows.flatMap((row) => {
    const { class: seen, rule } = classify(row.context, row.http_status, change(row.body_or_stderr));
    return seen === row.expected ? [] : [{ ...row, seen, rule }];
  });
}

const REPORTED = fixtures('reported');
const VARIANTS = fixtures('variants');
const NEGATIVES = fixtures('negatives');

describe('A13, E2: every unambiguous failure gets its class', () => {
  test('as reported by users of other tools', () => {
    expect(REPORTED.length).toBe(88);
    expect(misjudged(REPORTED.filter(({ ambiguous }) => ambiguous !== true))).toEqual([]);
  });

  test('in four hundred variants', () => {
    expect(VARIANTS.length).toBeGreaterThan(400);
    expect(misjudged(VARIANTS)).toEqual([]);
  });

  const certain = [...REPORTED, ...VARIANTS].filter(({ ambiguous }) => ambiguous !== true);
  const isJson = ({ body_or_stderr }: Fixture): boolean => /^\{[\s\S]*\}$/.test(body_or_stderr.trim());
  const bodies = certain.filter((row) => isJson(row) && row.context !== 'agent-text');
  const twists: readonly (readonly [string, (text: string) => string])[] = [
    ['space around it', (text) => ` \n\t${text}\r\n `],
    ['a byte order of other members', (text) => text.replace(/^\s*\{/, '{"request_id":"req_401429503","trace":null,')],
  ];
  test.each(twists)('also with %s', (_name, twist) => {
    expect(bodies.length).toBeGreaterThan(100);
    expect(misjudged(bodies, twist)).toEqual([]);
  });

  test('also when a script prints the body of a token endpoint behind its own words', () => {
    const rows = bodies
      .filter(({ context, http_status }) => context === 'token-endpoint' && http_status !== null && http_status < 402)
      .map((row): Fixture => ({ ...row, context: 'script-stderr', http_status: null }));
    const codes = rows.filter((row) => !/^(?:unexplained|status|page)/.test(ruleOf(row)));
    expect(codes.length).toBeGreaterThan(50);
    expect(misjudged(codes, (text) => `refresh failed, the server said: ${text}`)).toEqual([]);
  });

  function ruleOf({ http_status, body_or_stderr }: Fixture): string {
    return classify('token-endpoint', http_status, body_or_stderr).rule;
  }
});

describe('A13, E2: what only looks like a failure is none', () => {
  test('in two hundred texts: prose, code, logs, ids, ports, durations, quoted JSON', () => {
    expect(NEGATIVES.length).toBeGreaterThan(200);
    expect(misjudged(NEGATIVES)).toEqual([]);
  });

  test('whatever a failure says, an agent that repeats it has none', () => {
    const said = [...REPORTED, ...VARIANTS].filter(({ context }) => context !== 'agent-text');
    for (const { body_or_stderr } of said) {
      for (const text of [
        `The log says: ${body_or_stderr}`,
        JSON.stringify({ result: body_or_stderr }),
        JSON.stringify({ type: 'assistant', message: { content: [{ type: 'text', text: body_or_stderr }] } }),
      ]) {
        expect({ text, ...classify('agent-text', null, text) }).toMatchObject({ class: 'not_auth' });
      }
    }
  });

  test('no number is a status because of its digits', () => {
    const around = fc.constantFrom('request #', 'port ', 'line ', 'id=', 'took ', 'v', 'pid ', '0x', '/items/', ':');
    const after = fc.constantFrom('', ' ms', 's', ' items', '0', 'k', '.3', ' tokens');
    const status = fc.constantFrom(401, 403, 429, 500, 503);
    fc.assert(
      fc.property(around, status, after, (before, number, behind) => {
        const { rule } = classify('script-stderr', null, `done: ${before}${number}${behind}`);
        expect(rule).toBe('none');
      }),
    );
  });

  test('the envelope of an agent’s tool counts, its text does not', () => {
    const envelope = {
      type: 'result',
      subtype: 'success',
      is_error: true,
      api_error_status: 401,
      result: 'all is well',
    };
    expect(classify('agent-text', null, JSON.stringify(envelope)).class).toBe('transient');
    for (const harmless of [
      { is_error: false },
      { type: 'tool_result' },
      { api_error_status: '401' },
      { api_error_status: 40100 },
    ]) {
      const text = JSON.stringify({ ...envelope, result: 'API Error: 401', ...harmless });
      expect(classify('agent-text', null, text)).toMatchObject({ class: 'not_auth' });
    }
  });
});

describe('the order of the rules at the token endpoint', () => {
  const rule = (status: number | null, body: unknown): string =>
    classify('token-endpoint', status, typeof body === 'string' ? body : JSON.stringify(body)).rule;

  test('F10: provider, then RFC 6749 5.2, then status, then transport', () => {
    expect(rule(400, { error: 'invalid_grant', error_codes: [90033] })).toBe('microsoft:aadsts_90033');
    expect(rule(503, { error: 'invalid_grant' })).toBe('rfc6749:invalid_grant');
    expect(rule(503, { message: 'read ECONNRESET' })).toBe('status:503');
    expect(rule(null, 'read ECONNRESET')).toBe('phrase:connection_lost');
  });

  test.each(['invalid_client', 'invalid_scope', 'unsupported_grant_type', 'unauthorized_client', 'invalid_request'])(
    'F9, F10: %s is config, whatever the status',
    (error) => {
      for (const status of [200, 400, 401, 403, 500, null]) {
        expect(classify('token-endpoint', status, JSON.stringify({ error }))).toEqual({
          class: 'config',
          code: error,
          rule: `rfc6749:${error}`,
        });
      }
    },
  );

  test('F11: a firewall’s page and a proxy’s 407 are transient, even when they name a code', () => {
    for (const status of [400, 401, 403, 404]) {
      expect(classify('token-endpoint', status, '<html><body>invalid_grant</body></html>').class).toBe('transient');
    }
    expect(classify('token-endpoint', 407, '').class).toBe('transient');
    expect(classify('token-endpoint', 429, '<html>slow down</html>').class).toBe('rate_limited');
  });

  test('F12: what stands in the scripts of a page is no answer', () => {
    const script = '<script>var state = {"error":"invalid_grant"}</script>';
    for (const page of [`<html>${script}</html>`, `\ufeff <!DOCTYPE html>\n${script}`, `<!-- a -->\n<html>${script}`]) {
      for (const status of [200, 400, 403]) {
        expect(classify('token-endpoint', status, page)).toMatchObject({ class: 'transient', rule: 'page' });
      }
    }
    expect(classify('token-endpoint', 400, '<oauth><error>invalid_grant</error></oauth>').class).toBe('terminal');
  });

  test('F12: 200 with HTML is transient', () => {
    expect(classify('token-endpoint', 200, '<!doctype html><title>Sign in</title>')).toMatchObject({
      class: 'transient',
      rule: 'page',
    });
  });

  test('F13: 200 with an error in it is that error', () => {
    expect(classify('token-endpoint', 200, '{"error":"bad_refresh_token"}')).toMatchObject({
      class: 'terminal',
      rule: 'github:bad_refresh_token',
    });
    expect(classify('token-endpoint', 200, 'error=invalid_grant&error_description=x').class).toBe('terminal');
  });

  test('a provider that is known excludes the rows of the others', () => {
    const text = '{"ok":false,"error":"org_login_required"}';
    const by = (provider: 'slack' | 'google') =>
      classifyFailure({ context: 'token-endpoint', httpStatus: 200, text, provider }).class;
    expect([by('slack'), by('google')]).toEqual(['terminal', 'transient']);
  });
});

describe('an API', () => {
  test('B1: its 401 and 403 are failures of authentication of their own kinds, not noise', () => {
    expect(classify('api', 401, '').class).toBe('transient');
    expect(classify('api', 401, '{"error":{"message":"OAuth token has been revoked"}}').class).toBe('terminal');
    expect(classify('api', 403, '{"error":"insufficient_scope"}').class).toBe('config');
    expect(classify('api', 403, '').class).toBe('config');
  });

  test('E2: its answer with a status of success is data, unless it says itself that it is an error', () => {
    const entries = [{ type: 'token_revoked' }, { code: 'invalid_token', message: 'Token expired' }];
    for (const data of [
      { data: entries },
      { errors: [], error: null, ok: true, data: entries },
      { code: 'token_expired' },
    ]) {
      expect(classify('api', 200, JSON.stringify(data))).toMatchObject({ class: 'not_auth', rule: 'none' });
    }
    expect(classify('api', 200, JSON.stringify({ ok: false, error: 'token_revoked' })).class).toBe('terminal');
    expect(classify('api', 200, JSON.stringify({ errors: entries.slice(1) })).class).toBe('transient');
  });

  test('E2: invalid_token is one code for two things, and only its words tell them apart', () => {
    const told = (words: string) =>
      classify('api', 401, JSON.stringify({ error: 'invalid_token', error_description: words })).class;
    expect(told('The token has been revoked')).toBe('terminal');
    expect(told('The token expired')).toBe('transient');
    expect(told('The token is expired, revoked or malformed')).toBe('transient');
  });

  test('E2: a 401 is about the caller, whatever word the API has for its errors', () => {
    const text = JSON.stringify({ error: { type: 'invalid_request_error', message: 'No such thing' } });
    expect([401, 400].map((status) => classify('api', status, text).class)).toEqual(['transient', 'not_auth']);
  });

  test('E2: the same code means another thing than at the token endpoint', () => {
    const text = '{"error":{"code":"token_expired"}}';
    expect(classify('api', 401, text).class).toBe('transient');
    expect(classify('token-endpoint', 401, text).class).toBe('terminal');
  });
});

test('any text in any context is classified, at once, in words of our own', () => {
  const word = fc.constantFrom(
    '{',
    '}',
    '"',
    "'",
    '\\"',
    '[',
    ':',
    ',',
    'error',
    'invalid_grant',
    '401',
    'HTTP ',
    '\n',
    ' ',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 60 }).map((words) => words.join('')),
  );
  const status = fc.option(fc.integer({ min: -1, max: 1_000 }));
  const provider = fc.option(fc.constantFrom(...PROVIDERS));
  fc.assert(
    fc.property(fc.constantFrom(...FAILURE_CONTEXTS), status, text, provider, (context, httpStatus, shown, by) => {
      const found = classifyFailure({ context, httpStatus, text: shown, provider: by });
      expect(FAILURE_CLASSES).toContain(found.class);
      expect(found.code).toMatch(/^[a-z]+(?:_[a-z0-9]+)*$/);
      expect(found.rule).toMatch(/^[a-z0-9]+(?::[a-z0-9_]+){0,2}$/);
    }),
    { numRuns: 2_000 },
  );
});

test('a megabyte of openings, of quotes or of words costs no more than a page of it', () => {
  for (const text of [
    '{'.repeat(1e6),
    `{"a":"${'\\"'.repeat(5e5)}`,
    'refresh token '.repeat(7e4),
    '{"a":'.repeat(2e5),
    '401 '.repeat(2e5),
  ]) {
    for (const context of FAILURE_CONTEXTS) expect(FAILURE_CLASSES).toContain(classify(context, 400, text).class);
  }
});
