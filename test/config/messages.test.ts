import { describe, expect, test } from 'vitest';
import { fromEnv, MAIL, problemsOf } from './arrange.ts';

const mailWith = (extra: object): object => ({ credentials: { mail: { ...MAIL, ...extra } } });

describe('what a person reads when a configuration is wrong', () => {
  const cases: readonly (readonly [title: string, config: unknown, message: string])[] = [
    [
      'a number out of bounds names the bounds and the default',
      mailWith({ refreshTimeoutSeconds: 0 }),
      'credentials.mail.refreshTimeoutSeconds: expected 0.05–3600, got 0; leave it out for the default of 60',
    ],
    [
      'a fraction where only a whole number makes sense is said so',
      { credentials: {}, defaults: { maxRetries: 1.5 } },
      'defaults.maxRetries: expected a whole number 0–1000, got 1.5; leave it out for the default of 5',
    ],
    [
      'a duration with a unit is converted for the reader',
      { credentials: {}, defaults: { refreshMarginMinutes: '30m' } },
      'defaults.refreshMarginMinutes: expected 0–10080 (a number of minutes), got "30m"; write the number 30, without quotes or unit',
    ],
    [
      'a duration in another unit is converted into the right one',
      mailWith({ refreshTimeoutSeconds: '2 min' }),
      'credentials.mail.refreshTimeoutSeconds: expected 0.05–3600 (a number of seconds), got "2 min"; write the number 120, without quotes or unit',
    ],
    [
      'milliseconds where minutes are meant are recognised',
      mailWith({ refreshMarginMinutes: 1_800_000 }),
      'credentials.mail.refreshMarginMinutes: expected 0–10080, got 1800000; the unit is minutes: 1800000 milliseconds are 30',
    ],
    [
      'an unknown key comes with the nearest known one',
      mailWith({ refreshTimeoutSecond: 60 }),
      'credentials.mail.refreshTimeoutSecond: expected a known key, got an unknown one; did you mean "refreshTimeoutSeconds"?',
    ],
    [
      'a known key in the wrong object is sent to the right one',
      { credentials: {}, defaults: { alertOnFirstFailure: false } },
      'defaults.alertOnFirstFailure: expected a known key, got an unknown one; it belongs in "alerts"',
    ],
    [
      'a way of refreshing that does not exist is an unknown key',
      mailWith({ refresh: { magic: {} } }),
      'credentials.mail.refresh.magic: expected a known key, got an unknown one; the keys here are command, oauth, follow, result, input, environment',
    ],
    [
      'an unknown store format comes with the known ones',
      mailWith({ store: { format: 'token-respnse', path: 'x' } }),
      'credentials.mail.store.format: expected one of "token-response", "claude-code", "codex", "gemini", "opencode", "openclaw", "hermes", "grok", "google-adc", "json", "env", "text", "command", got "token-respnse"; did you mean "token-response"?',
    ],
    [
      'a missing key is asked for',
      mailWith({ store: { format: 'text' } }),
      'credentials.mail.store.path: expected a path, got nothing; add it',
    ],
    [
      'a shell string is no program',
      mailWith({ refresh: { command: './refresh.sh mail' } }),
      'credentials.mail.refresh.command: expected a program and its arguments as an array of strings, got "./refresh.sh mail"; no shell reads it: write ["program", "argument"]',
    ],
    [
      'a secret has no place in the arguments of a program',
      mailWith({ refresh: { command: ['curl', fromEnv('SECRET')] } }),
      `credentials.mail.refresh.command[1]: expected a literal string without \${…}, got "\${env:SECRET}"; arguments are readable by every process: pass secrets through "environment", and use ~ for the home folder`,
    ],
    [
      'a name that cannot be a file or URL part is refused',
      { credentials: { 'My Mail': MAIL } },
      'credentials["My Mail"]: expected a name of a-z, 0-9, ".", "_" and "-", at most 63 characters, beginning with a letter or digit, got "My Mail"; rename the credential',
    ],
    [
      'a newer file names the remedy',
      { version: 2, credentials: {} },
      'version: expected 1, got 2; the file was written for a newer freshd: update freshd',
    ],
    [
      'a store and a static value exclude each other',
      mailWith({ static: fromEnv('KEY') }),
      'credentials.mail: expected "store" or "static", got both; remove one of them',
    ],
    [
      'a store needs somebody who refreshes it',
      { credentials: { mail: { store: MAIL.store } } },
      'credentials.mail.refresh: expected "command", "oauth" or "follow": true, got none of them; say who refreshes: a script, freshd itself, or the tool that owns the store',
    ],
    [
      'a key beside the wrong neighbour is pointed out',
      mailWith({ publish: [{ hook: ['/bin/true'], variable: 'TOKEN' }] }),
      'credentials.mail.publish[0].variable: expected nothing, got a setting; it belongs to envFile: remove it',
    ],
    [
      'freshd does not write a store that belongs to another tool',
      {
        credentials: {
          c: { store: { format: 'command', command: ['gh'] }, refresh: { command: ['gh'], result: 'text' } },
        },
      },
      'credentials.c.refresh.result: expected "store" for the format command, got "text"; only its own tool writes that store: let the script run the tool',
    ],
    [
      'an alert URL must be https',
      { credentials: {}, alerts: { sinks: [{ type: 'webhook', url: 'http://example.com/hook' }] } },
      'alerts.sinks[0].url: expected an https URL, or an http one to this machine, got one with http: (not shown); correct it where it is taken from',
    ],
    ['a configuration that is no object', [], 'configuration: expected an object, got an empty array; correct it'],
  ];

  test.each(cases)('%s', async (_title, config, message) => {
    const problems = await problemsOf(config);
    expect(problems.map((problem) => problem.replace(/^\/\S+: /, ''))).toEqual([message]);
  });

  test('all problems are said at once, whatever kind they are of', async () => {
    const problems = await problemsOf({
      reloadOnChnage: true,
      defaults: { maxRetries: -1 },
      credentials: {
        broken: { ...MAIL, refreshMarginMinutes: 'soon' },
        empty: {},
        twin: MAIL,
        other: MAIL,
      },
    });
    expect(problems.map((problem) => problem.split(': ')[0])).toEqual([
      'defaults.maxRetries',
      'credentials.broken.refreshMarginMinutes',
      'reloadOnChnage',
      'credentials.empty',
      'credentials.other.store',
    ]);
  });

  test('A10: what may be a secret is never shown', async () => {
    const secret = 'sk-ant-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789';
    const problems = await problemsOf({
      credentials: {
        key: { static: secret },
        mail: { ...MAIL, refresh: { ...MAIL.refresh, environment: { A: [secret], 'B-C': secret } }, store: secret },
        other: { ...MAIL, expires: secret, publish: [{ envFile: '.env', variable: secret }] },
      },
      alerts: {
        sinks: [
          { type: 'slack', url: [secret] },
          { type: 'webhook', url: `nonsense ${secret}` },
        ],
      },
    });
    expect(problems).not.toEqual([]);
    expect(problems.join('\n')).not.toContain(secret.slice(0, 10));
  });

  test('a literal secret is sent out of the file', async () => {
    const problems = await problemsOf({ credentials: { key: { static: 'sk-ant-secret' } } });
    expect(problems).toEqual([
      `credentials.key.static: expected \${env:NAME} or \${file:PATH}, got a string (not shown); a secret does not belong into this file: put it into the environment or a file of its own`,
    ]);
  });
});
