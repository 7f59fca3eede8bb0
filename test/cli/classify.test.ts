import { describe, expect, test } from 'vitest';
import { runIn } from './arrange.ts';

/** In pieces of three bytes, which cut lines and characters anywhere. */
async function* pieces(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
}

const classify = (text: string, ...argv: string[]) => runIn({ input: () => pieces(text) }, 'classify', ...argv);

describe('freshd classify --context', () => {
  test('E2: names class, rule and code of one failure', async () => {
    expect(await classify('{"error":"invalid_grant"}', '--context', 'token-endpoint', '--status', '400')).toEqual({
      exitCode: 0,
      stdout: 'class  terminal\nrule   rfc6749:invalid_grant\ncode   invalid_grant\n',
      stderr: '',
    });
  });

  test('with --json answers with one object', async () => {
    const { stdout } = await classify('Login expired · Please run /login', '--context', 'script-stderr', '--json');
    expect(JSON.parse(stdout)).toEqual({ class: 'terminal', code: 'login_required', rule: 'phrase:login_required' });
  });

  test('A13: says not_auth of prose, with exit 0: the answer is no failure of the command', async () => {
    expect(await classify('it returned 401', '--context', 'agent-text')).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('class  not_auth\nrule   none\n'),
    });
  });

  test('--provider leaves the rows of the others out', async () => {
    const argv = ['--context', 'token-endpoint', '--status', '200', '--provider'];
    const text = '{"ok":false,"error":"org_login_required"}';
    expect((await classify(text, ...argv, 'slack')).stdout).toContain('slack:org_login_required');
    expect((await classify(text, ...argv, 'google')).stdout).toContain('transient');
  });

  test.each([
    [['--context', 'tcp'], '--context: expected token-endpoint, api'],
    [['--context', 'api', '--status', '4x1'], '--status: expected a number from 0 to 599, got "4x1"'],
    [['--context', 'api', '--provider', 'acme'], '--provider: expected one of anthropic'],
    [['--status', '401'], '--status needs --context'],
  ])('refuses %j with 64, and says what it expected', async (argv, message) => {
    expect(await classify('', ...argv)).toMatchObject({
      exitCode: 64,
      stdout: '',
      stderr: expect.stringContaining(message),
    });
  });
});

describe('freshd classify with JSON lines', () => {
  const line = (members: object): string => `${JSON.stringify(members)}\n`;

  test('answers each in its order, with its id, in one process', async () => {
    const ended = {
      id: 'e1',
      context: 'script-stderr',
      http_status: null,
      body_or_stderr: 'Login expired · Please run /login',
    };
    const text =
      line(ended) +
      line({ id: 2, context: 'token-endpoint', http_status: '429', body_or_stderr: '' }) +
      '\r\n' +
      line({ id: 'e3', context: 'agent-text', http_status: null, body_or_stderr: '401k' }).trim();
    const { exitCode, stdout } = await classify(text);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      line({ id: 'e1', class: 'terminal', rule: 'phrase:login_required' }) +
        line({ id: 2, class: 'rate_limited', rule: 'status:429' }) +
        line({ id: 'e3', class: 'not_auth', rule: 'none' }),
    );
  });

  test('takes a body that is JSON already, and a provider', async () => {
    const body = { ok: false, error: 'org_login_required' };
    const members = { id: 1, context: 'token-endpoint', http_status: 200, body_or_stderr: body, provider: 'slack' };
    expect((await classify(line(members))).stdout).toContain('slack:org_login_required');
  });

  test('goes on after a line that it cannot read, names it, and ends with 65', async () => {
    const good = line({ id: 'ok', context: 'api', http_status: 503, body_or_stderr: '' });
    const { exitCode, stdout, stderr } = await classify(`{"id":\n${line({ id: 'odd', context: 'ftp' })}${good}`);
    expect(exitCode).toBe(65);
    expect(stdout).toBe(
      line({ id: null, class: null, rule: 'invalid_input' }) +
        line({ id: 'odd', class: null, rule: 'invalid_input' }) +
        line({ id: 'ok', class: 'transient', rule: 'status:503' }),
    );
    expect(stderr).toBe(
      'freshd: line 1: expected one JSON object, got something else\n' +
        'freshd: line 2: context: expected one of token-endpoint, api, script-stderr, agent-text\n',
    );
  });

  test('says of a line that is too long that it is, and answers the next', async () => {
    const good = line({ id: 'ok', context: 'api', http_status: 503, body_or_stderr: '' });
    const long = line({ id: 'long', context: 'api', http_status: 401, body_or_stderr: 'x'.repeat(1_100_000) });
    const input = async function* () {
      yield new TextEncoder().encode(long + good);
    };
    const { exitCode, stdout, stderr } = await runIn({ input }, 'classify');
    expect(exitCode).toBe(65);
    expect(stdout).toBe(
      line({ id: null, class: null, rule: 'invalid_input' }) +
        line({ id: 'ok', class: 'transient', rule: 'status:503' }),
    );
    expect(stderr).toBe('freshd: line 1: expected one JSON object, got a line of more than 1048576 characters\n');
  });

  test('reads on only when whoever reads it has kept up, so that its memory stays bounded', async () => {
    const events: string[] = [];
    const input = async function* () {
      for (const id of ['first', 'second']) {
        events.push(`read ${id}`);
        yield new TextEncoder().encode(line({ id, context: 'api', http_status: 503, body_or_stderr: '' }));
      }
    };
    const drained = async (): Promise<void> => {
      await new Promise(setImmediate);
      events.push('drained');
    };
    const heard = (text: string): number => events.push(`wrote ${(JSON.parse(text) as { id: string }).id}`);
    expect((await runIn({ input, drained, heard }, 'classify')).exitCode).toBe(0);
    expect(events).toEqual(['read first', 'wrote first', 'drained', 'read second', 'wrote second', 'drained']);
  });

  test('A10: repeats nothing of what it was shown', async () => {
    const members = { id: 1, context: 'script-stderr', body_or_stderr: 'refresh token sk-Secret1 has expired' };
    const ran = await classify(`${line(members)}{"body_or_stderr":"sk-Secret1"`);
    expect(JSON.stringify(ran)).not.toContain('Secret1');
  });
});
