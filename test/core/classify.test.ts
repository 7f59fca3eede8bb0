import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyScriptResult, type ScriptOutput, type ScriptRun } from '../../src/core/classify.ts';

const RESPONSE = { access_token: 'a', refresh_token: 'r' };

/** A run that ended by itself, with status 0 and nothing on stdout, of a credential that rotates. */
function run(overrides: Partial<ScriptRun>): ScriptRun {
  return {
    ending: 'exited',
    exitCode: 0,
    signal: null,
    output: { kind: 'empty' },
    result: 'stdout',
    rotates: true,
    ...overrides,
  };
}

function json(value: Readonly<Record<string, unknown>>): ScriptOutput {
  return { kind: 'json', json: value };
}

function failureOf(overrides: Partial<ScriptRun>) {
  const verdict = classifyScriptResult(run(overrides));
  if (verdict.kind !== 'failure') throw new Error(`expected a failure, got ${verdict.kind}`);
  const { detail: _, ...failure } = verdict.failure;
  return failure;
}

describe('a token response', () => {
  const ends: Partial<ScriptRun>[] = [
    { exitCode: 0 },
    { exitCode: 1 },
    { exitCode: 75 },
    { exitCode: 77 },
    { exitCode: null, signal: 'SIGKILL' },
    { exitCode: null, signal: 'SIGTERM', ending: 'timed_out' },
    { exitCode: null, signal: 'SIGTERM', ending: 'cancelled' },
  ];
  test.each(ends)('F77: is success whatever the end: %o', (end) => {
    expect(classifyScriptResult(run({ ...end, output: json(RESPONSE) }))).toEqual({
      kind: 'response',
      response: RESPONSE,
    });
  });

  test('F14: with a refresh token alone is one, which must not be lost', () => {
    const response = { refresh_token: 'r2' };
    expect(classifyScriptResult(run({ output: json(response) }))).toEqual({ kind: 'response', response });
  });

  test('F13: that names an error is an error', () => {
    expect(failureOf({ output: json({ ...RESPONSE, error: 'invalid_grant' }) }).class).toBe('terminal');
  });

  test('with an empty or null error is none', () => {
    for (const error of ['', null]) {
      expect(classifyScriptResult(run({ output: json({ ...RESPONSE, error }) })).kind).toBe('response');
    }
  });

  test.each(['', 'two\nlines', 'nul\0', 7, null, 'x'.repeat(70_000)])(
    'needs a usable access token, unlike %o',
    (token) => {
      expect(failureOf({ output: json({ access_token: token }) }).code).toBe('malformed_output');
    },
  );

  test('does not count when more than its limit was printed, or where the store is the result', () => {
    expect(failureOf({ output: json(RESPONSE), ending: 'output_too_large' }).code).toBe('output_too_large');
    expect(failureOf({ output: json(RESPONSE), result: 'store', exitCode: 1 }).code).toBe('exit_1');
  });
});

describe('a bare token', () => {
  const text = (value: string): Partial<ScriptRun> => ({ result: 'text', output: { kind: 'text', text: value } });

  test('is one word, printed by a script that ended well', () => {
    const verdict = classifyScriptResult(run(text('ya29.a0Ab')));
    expect(verdict).toEqual({ kind: 'response', response: { access_token: 'ya29.a0Ab' } });
    expect(failureOf({ ...text('ya29.a0Ab'), exitCode: 1 }).code).toBe('exit_1');
    expect(failureOf({ ...text('ya29.a0Ab'), ending: 'timed_out', exitCode: null }).code).toBe('timeout');
    expect(failureOf(text('not logged in')).code).toBe('malformed_output');
  });

  test('is never JSON: an error without spaces would look like one', () => {
    expect(failureOf({ result: 'text', output: json({ error: 'invalid_grant' }) }).class).toBe('terminal');
  });
});

describe('exit statuses of the contract', () => {
  const plain = { doubt: false, unsent: false, origin: 'server', retryAfterMs: null };

  test('75: transient, and surely not sent', () => {
    expect(failureOf({ exitCode: 75 })).toEqual({ ...plain, class: 'transient', code: 'exit_75', unsent: true });
  });

  test('74: transient, and in doubt where the refresh token rotates', () => {
    expect(failureOf({ exitCode: 74 })).toEqual({ ...plain, class: 'transient', code: 'exit_74', doubt: true });
    expect(failureOf({ exitCode: 74, rotates: false }).doubt).toBe(false);
  });

  test('77: terminal', () => {
    expect(failureOf({ exitCode: 77 })).toEqual({ ...plain, class: 'terminal', code: 'exit_77' });
  });

  test('78: configuration, cured by nothing that can be seen from here', () => {
    expect(failureOf({ exitCode: 78 })).toEqual({ ...plain, class: 'config', code: 'exit_78' });
  });

  test('win over a structured error, which only names them better', () => {
    const output = json({ error: 'invalid_grant', retry_after: 7 });
    expect(failureOf({ exitCode: 77, output })).toMatchObject({ class: 'terminal', code: 'invalid_grant' });
    expect(failureOf({ exitCode: 75, output })).toMatchObject({ class: 'transient', code: 'exit_75', unsent: true });
    expect(failureOf({ exitCode: 75, output }).retryAfterMs).toBe(7_000);
  });

  test('win where the store is the result, too', () => {
    expect(failureOf({ exitCode: 77, result: 'store' }).class).toBe('terminal');
  });
});

describe('a structured error', () => {
  const rows: [string, string, boolean][] = [
    ['invalid_grant', 'terminal', false],
    ['invalid_client', 'config', false],
    ['unauthorized_client', 'config', false],
    ['invalid_request', 'config', false],
    ['invalid_scope', 'config', false],
    ['unsupported_grant_type', 'config', false],
    ['temporarily_unavailable', 'transient', true],
    ['server_error', 'transient', true],
    ['slow_down', 'rate_limited', false],
  ];
  test.each(rows)('F9, F10, F13: %s is %s, whatever the exit status', (code, expected, doubt) => {
    for (const exitCode of [0, 1, 22]) {
      expect(failureOf({ exitCode, output: json({ error: code }) })).toEqual({
        class: expected,
        code,
        doubt,
        unsent: false,
        origin: 'server',
        retryAfterMs: null,
      });
    }
  });

  test('wins over a timeout: the server has said what is wrong', () => {
    const output = json({ error: 'invalid_grant' });
    expect(failureOf({ ending: 'timed_out', exitCode: null, signal: 'SIGTERM', output }).class).toBe('terminal');
  });

  test('that freshd does not know is transient and in doubt, and never becomes a code', () => {
    const verdict = classifyScriptResult(run({ output: json({ error: 'strange_condition' }) }));
    expect(verdict).toMatchObject({ failure: { class: 'transient', code: 'unrecognized_error', doubt: true } });
    expect(verdict).toMatchObject({ failure: { detail: expect.stringContaining('strange_condition') } });
    const secret = classifyScriptResult(run({ output: json({ error: 'sk-Secret1' }) }));
    expect(JSON.stringify(secret)).not.toContain('sk-Secret1');
  });

  test('F5: says how long to wait, in seconds', () => {
    const wait = (retry_after: unknown) =>
      failureOf({ output: json({ error: 'slow_down', retry_after }) }).retryAfterMs;
    expect([wait(120), wait('120'), wait(1.5)]).toEqual([120_000, 120_000, 1_500]);
    expect([wait(-1), wait('soon'), wait(Number.POSITIVE_INFINITY), wait(null)]).toEqual([null, null, null, null]);
  });
});

describe('A13, E2: prose', () => {
  test.each([
    'Error: 401 Unauthorized',
    'invalid_grant',
    'The agent wrote: {"error":"invalid_grant"}',
    'if (status === 401) throw new Error("invalid_grant")',
  ])('never counts, however much it looks like an authentication failure: %s', (text) => {
    const failure = failureOf({ exitCode: 1, output: { kind: 'text', text } });
    expect(failure).toMatchObject({ class: 'transient', code: 'exit_1' });
  });

  test('in another member of JSON does not count either', () => {
    const output = json({ message: 'invalid_grant', error: { code: 'invalid_grant' } });
    expect(failureOf({ output }).code).toBe('malformed_output');
  });
});

describe('what a known tool prints', () => {
  test('A13: on stderr is asked last, after exit status and structured output', () => {
    const stderr = 'Not logged in · Please run /login';
    expect(failureOf({ exitCode: 1, stderr })).toMatchObject({ class: 'terminal', code: 'login_required' });
    expect(failureOf({ exitCode: 75, stderr }).code).toBe('exit_75');
    expect(failureOf({ exitCode: 1, stderr, output: json({ error: 'slow_down' }) }).code).toBe('slow_down');
    expect(classifyScriptResult(run({ exitCode: 1, stderr, output: json(RESPONSE) })).kind).toBe('response');
  });

  test('A13, E2: on stderr does not count when it is chatter, a trace, a number or somebody else’s words', () => {
    for (const stderr of [
      'processed 401 records',
      '+ grep -q invalid_grant body.json',
      'INFO invalid_grant seen and handled',
      'request 8401923 failed',
    ]) {
      expect(failureOf({ exitCode: 1, stderr })).toMatchObject({ class: 'transient', code: 'exit_1' });
    }
  });

  test('on stderr says nothing about a run that freshd ended, or that a signal ended', () => {
    const stderr = 'refresh failed: invalid_grant';
    expect(failureOf({ ending: 'timed_out', exitCode: null, signal: 'SIGTERM', stderr }).code).toBe('timeout');
    expect(failureOf({ exitCode: null, signal: 'SIGKILL', stderr }).code).toBe('signal_sigkill');
    expect(failureOf({ exitCode: 1, stderr })).toMatchObject({
      class: 'terminal',
      code: 'invalid_grant',
      doubt: false,
    });
  });

  test('leaves a doubt when it may pass: words do not tell how far a request came', () => {
    const stderr = 'curl: (7) Failed to connect to auth.example.com port 443: Connection refused';
    expect(failureOf({ exitCode: 7, stderr })).toMatchObject({ class: 'transient', doubt: true, unsent: false });
    expect(failureOf({ exitCode: 7, stderr, rotates: false }).doubt).toBe(false);
    expect(failureOf({ exitCode: 22, stderr: 'HTTP 429' })).toMatchObject({ class: 'rate_limited', doubt: false });
  });

  test('is in the envelope on stdout too, even with status 0 and where the store is the result', () => {
    const output = json({
      type: 'result',
      subtype: 'success',
      is_error: true,
      result: 'Login expired · Please run /login',
    });
    expect(failureOf({ output, result: 'store' })).toMatchObject({ class: 'terminal' });
    const fine = json({ type: 'result', subtype: 'success', is_error: false, result: 'Please run /login' });
    expect(classifyScriptResult(run({ output: fine, result: 'store' })).kind).toBe('stored');
  });

  test('of a provider counts where providers put their codes', () => {
    const output = json({ error: { code: 'refresh_token_reused', message: 'It has been used.' } });
    expect(failureOf({ exitCode: 1, output })).toMatchObject({ class: 'terminal', code: 'refresh_token_reused' });
  });

  test('is never repeated', () => {
    const verdict = classifyScriptResult(run({ exitCode: 1, stderr: 'refresh token sk-Secret1 has expired' }));
    expect(verdict).toMatchObject({ failure: { class: 'terminal' } });
    expect(JSON.stringify(verdict)).not.toContain('Secret1');
  });
});

test('every end of a script is judged, without a throw, and without a word of what it printed in the code', () => {
  const anyRun: fc.Arbitrary<ScriptRun> = fc.record({
    ending: fc.constantFrom('exited', 'timed_out', 'output_too_large', 'cancelled'),
    exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
    signal: fc.option(fc.constantFrom('SIGKILL', 'SIGTERM', 'SIGSEGV')),
    output: fc.oneof(
      fc.constantFrom<ScriptOutput>({ kind: 'empty' }, { kind: 'binary' }),
      fc.string().map((text): ScriptOutput => ({ kind: 'text', text })),
      fc.dictionary(fc.constantFrom('error', 'access_token', 'retry_after', 'x'), fc.jsonValue()).map(json),
    ),
    stderr: fc.constantFrom(
      '',
      'HTTP 503',
      'Not logged in',
      'AADSTS700082',
      'curl: (28) timed out',
      'request 401 done',
    ),
    result: fc.constantFrom('stdout', 'text', 'store'),
    rotates: fc.boolean(),
  });
  fc.assert(
    fc.property(anyRun, (given) => {
      const verdict = classifyScriptResult(given);
      if (verdict.kind !== 'failure') return;
      expect(verdict.failure.code).toMatch(/^[a-z]+(?:_[a-z0-9]+)*$/);
      expect(verdict.failure.doubt && !given.rotates).toBe(false);
      expect(verdict.failure.doubt && verdict.failure.unsent).toBe(false);
    }),
  );
});
