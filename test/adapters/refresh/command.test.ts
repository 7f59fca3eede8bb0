import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createLeftRuns } from '../../../src/adapters/refresh/left-runs.ts';
import { FIXTURES, failureOf, requestFor, runningScript, STORED } from './running-script.ts';

const RESPONSE = {
  access_token: 'new-access-token',
  token_type: 'Bearer',
  expires_in: 60,
  refresh_token: 'new-refresh-token',
};

describe('a script that answers', () => {
  test('a token response on stdout is the result, its members verbatim', async () => {
    expect(await runningScript(['ok.sh']).run()).toEqual({ kind: 'response', response: RESPONSE });
  });

  test('F77: a complete token response is success although the script then fails', async () => {
    const outcome = await runningScript(['ok-then-fails.sh']).run();
    expect(outcome).toMatchObject({ kind: 'response', response: { access_token: 'new-access-token' } });
  });

  test('a bare token is the result where the contract says text', async () => {
    const outcome = await runningScript(['text.sh', 'gho_abc123'], { result: 'text' }).run();
    expect(outcome).toEqual({ kind: 'response', response: { access_token: 'gho_abc123' } });
  });

  test('a message is no token, also where the contract says text', async () => {
    const outcome = await runningScript(['text.sh', 'not logged in'], { result: 'text' }).run();
    expect(failureOf(outcome)).toMatchObject({ class: 'transient', code: 'malformed_output' });
  });

  test('exit status 0 is enough where the contract says store, and nothing else is', async () => {
    expect(await runningScript(['exit-with.sh', '0'], { result: 'store' }).run()).toEqual({ kind: 'stored' });
    const outcome = await runningScript(['exit-with.sh', '1'], { result: 'store' }).run();
    expect(failureOf(outcome)).toMatchObject({ class: 'transient', code: 'exit_1' });
  });

  test('the stored tokens come on stdin as one line of JSON, and stdin can be opened by its path', async () => {
    const script = runningScript(['reads-stdin.sh', 'copy'], { input: 'token' });
    expect(await script.run()).toMatchObject({ kind: 'response' });
    expect(readFileSync(join(script.directory, 'copy'), 'utf8')).toBe(
      `{"access_token":"${STORED.accessToken}","refresh_token":"${STORED.refreshToken}","token_type":"Bearer"}\n`,
    );
  });

  test('the script runs in the folder of the configuration, and is found relative to it', async () => {
    const script = runningScript(['./own.sh']);
    writeFileSync(join(script.directory, 'own.sh'), '#!/bin/sh\nprintf \'{"access_token":"%s"}\' "$PWD"\n', {
      mode: 0o755,
    });
    expect(await script.run()).toEqual({ kind: 'response', response: { access_token: script.directory } });
  });
});

describe('a disk that does not let go of what a script printed', () => {
  test('F41: changes nothing in what the run came to, and is tried again at the next run', async () => {
    const script = runningScript(['./own.sh']);
    const [spools, aside] = [script.spoolDirectory, join(script.directory, 'aside')];
    writeFileSync(
      join(script.directory, 'own.sh'),
      `#!/bin/sh\nif [ -e "${aside}" ]; then exit 77; fi\nmv "${spools}" "${aside}" && : > "${spools}"\nexit 77\n`,
      { mode: 0o755 },
    );
    expect(failureOf(await script.run())).toMatchObject({ class: 'terminal', code: 'exit_77' });
    expect(script.logged).toMatchObject([{ level: 'warn', event: 'stale_spools_kept', fields: { code: 'ENOTDIR' } }]);
    rmSync(spools);
    cpSync(aside, spools, { recursive: true });
    chmodSync(spools, 0o700);
    expect(script.spools()).toHaveLength(2);
    await script.run({ attempt: 2 });
    expect(script.spools()).toEqual([]);
  });
});

describe('a script that fails', () => {
  const cases = [
    { argv: ['exit-with.sh', '75'], expected: { class: 'transient', code: 'exit_75', doubt: false, unsent: true } },
    { argv: ['exit-with.sh', '74'], expected: { class: 'transient', code: 'exit_74', doubt: true, unsent: false } },
    { argv: ['exit-with.sh', '77'], expected: { class: 'terminal', code: 'exit_77', doubt: false } },
    { argv: ['exit-with.sh', '78'], expected: { class: 'config', code: 'exit_78', doubt: false, origin: 'server' } },
    { argv: ['exit-with.sh', '3'], expected: { class: 'transient', code: 'exit_3', doubt: true, unsent: false } },
    { argv: ['exit-with.sh', '0'], expected: { class: 'transient', code: 'empty_output', doubt: true } },
    { argv: ['invalid-grant.sh'], expected: { class: 'terminal', code: 'invalid_grant', doubt: false } },
    { argv: ['retry-after.sh'], expected: { class: 'rate_limited', code: 'slow_down', retryAfterMs: 120_000 } },
    { argv: ['garbage.sh'], expected: { class: 'transient', code: 'malformed_output', doubt: true } },
  ];
  test.each(cases)('F23: $argv is $expected.class, $expected.code', async ({ argv, expected }) => {
    expect(failureOf(await runningScript(argv).run())).toMatchObject(expected);
  });

  test('F30: an answer that was cut off by SIGKILL is rejected, and in doubt', async () => {
    const failure = failureOf(await runningScript(['partial.sh']).run());
    expect(failure).toMatchObject({ class: 'transient', code: 'signal_sigkill', doubt: true, unsent: false });
  });

  test('F30: without rotation nothing is in doubt', async () => {
    const failure = failureOf(await runningScript(['partial.sh'], { rotates: false }).run());
    expect(failure).toMatchObject({ code: 'signal_sigkill', doubt: false });
  });

  test('F27: bytes that are no UTF-8 are rejected', async () => {
    const failure = failureOf(await runningScript(['binary.sh']).run());
    expect(failure).toMatchObject({ class: 'transient', code: 'malformed_output', doubt: true });
  });

  test('F27: three megabytes are rejected, although the script ended well', async () => {
    const failure = failureOf(await runningScript(['prints-3mb.sh']).run());
    expect(failure).toMatchObject({ class: 'transient', code: 'output_too_large', doubt: true });
  });

  test('F28: secrets on stderr do not reach the failure, whole or cut off', async () => {
    const script = runningScript(['tells-secrets.sh'], { input: 'token' });
    const failure = failureOf(await script.run());
    expect(failure.detail).toBe(
      'exit status 1: cut off: [redacted] and Authorization: Bearer [redacted] were not accepted',
    );
    expect(JSON.stringify(script.logged)).not.toContain('stored-');
  });

  test.each([
    ['one line', '', '9'],
    ['one line, and then another', "; echo ' '; echo the reason", '9: the reason'],
  ])(
    'F23 F28: of %s too long to be kept no rest is told: it may be the rest of a secret',
    async (_name, more, told) => {
      const script = runningScript(['./long.sh'], { input: 'token' });
      const says = `read -r tokens; { printf '%s' "$tokens"; head -c 16300 /dev/zero | tr '\\0' x${more}; } >&2; exit 9`;
      writeFileSync(join(script.directory, 'long.sh'), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
      const failure = failureOf(await script.run());
      expect(failure.detail).toBe(`exit status ${told}`);
    },
  );

  test('F23: of megabytes on stderr the end is told, and the class is that of the exit status', async () => {
    const script = runningScript(['./floods.sh']);
    const says = `yes 'so it goes' | head -n 300000 >&2; echo the reason >&2; exit 77`;
    writeFileSync(join(script.directory, 'floods.sh'), `#!/bin/sh\n${says}\n`, { mode: 0o755 });
    const failure = failureOf(await script.run());
    expect(failure).toMatchObject({
      class: 'terminal',
      code: 'exit_77',
      detail: expect.stringMatching(/: the reason$/),
    });
  });

  test('F23: the last line of stderr is told, in at most 200 characters', async () => {
    const script = runningScript(['./long.sh']);
    const line = 'so '.repeat(200);
    writeFileSync(join(script.directory, 'long.sh'), `#!/bin/sh\necho ${line} >&2; exit 9\n`, { mode: 0o755 });
    const failure = failureOf(await script.run());
    expect(failure.detail).toMatch(/^exit status 9: so so .*…$/);
    expect(failure.detail).toHaveLength(200);
  });
});

describe('F29: a script that cannot be run is a local configuration failure, and runs as soon as it can', () => {
  function withOwnScript(content: string, mode: number) {
    const script = runningScript(['./own.sh']);
    const path = join(script.directory, 'own.sh');
    const write = (text: string, to: number) => {
      writeFileSync(path, text);
      chmodSync(path, to);
    };
    write(content, mode);
    return { ...script, path, repair: () => write(GOOD, 0o755) };
  }
  const GOOD = '#!/bin/sh\necho \'{"access_token":"new"}\'\n';

  const cases = [
    { title: 'not executable', content: GOOD, mode: 0o644, code: 'script_not_executable', says: /0644; chmod \+x/ },
    {
      title: 'world-writable',
      content: GOOD,
      mode: 0o757,
      code: 'script_writable_by_others',
      says: /0757.*chmod go-w/,
    },
    {
      title: 'without its interpreter',
      content: '#!/no/such/interpreter\n',
      mode: 0o755,
      code: 'script_interpreter_missing',
      says: /"\/no\/such\/interpreter"/,
    },
    {
      title: 'without the interpreter that env looks for',
      content: '#!/usr/bin/env no-such-language\n',
      mode: 0o755,
      code: 'script_interpreter_missing',
      says: /"no-such-language".*PATH/,
    },
    {
      title: 'with the line ends of Windows',
      content: '#!/bin/sh\r\necho\r\n',
      mode: 0o755,
      code: 'script_interpreter_missing',
      says: /Windows/,
    },
  ];
  test.each(cases)('$title', async ({ content, mode, code, says }) => {
    const script = withOwnScript(content, mode);
    const obstacle = await script.refresh.obstacle();
    expect(obstacle).toMatchObject({ class: 'config', code, origin: 'local', unsent: true, doubt: false });
    expect(obstacle?.detail).toMatch(says);
    expect(await script.run()).toEqual({ kind: 'failure', failure: obstacle });
    expect(script.started).toEqual([]);

    script.repair();
    expect(await script.refresh.obstacle()).toBeNull();
    expect(await script.run()).toMatchObject({ kind: 'response' });
  });

  test('missing', async () => {
    const script = runningScript(['./own.sh']);
    const expected = { class: 'config', code: 'script_missing', origin: 'local', unsent: true };
    expect(failureOf(await script.run())).toMatchObject(expected);
    writeFileSync(join(script.directory, 'own.sh'), GOOD, { mode: 0o755 });
    expect(await script.run()).toMatchObject({ kind: 'response' });
  });

  test('F76: a program that is not on the PATH is named, with the PATH and the remedy', async () => {
    const obstacle = await runningScript(['no-such-program'], { environment: { PATH: '/bin' } }).refresh.obstacle();
    expect(obstacle?.code).toBe('script_missing');
    expect(obstacle?.detail).toMatch(/no-such-program on the PATH \/bin.*absolute path/);
  });

  test('in a folder that others may write', async () => {
    const script = runningScript(['./open/own.sh']);
    mkdirSync(join(script.directory, 'open'));
    writeFileSync(join(script.directory, 'open/own.sh'), GOOD, { mode: 0o755 });
    chmodSync(join(script.directory, 'open'), 0o777);
    expect(await script.refresh.obstacle()).toMatchObject({ code: 'script_writable_by_others' });
  });

  test('that belongs to somebody else', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can give a file away');
    const script = withOwnScript(GOOD, 0o755);
    const { chownSync } = await import('node:fs');
    chownSync(script.path, 65_534, 65_534);
    expect(await script.refresh.obstacle()).toMatchObject({ code: 'script_wrong_owner', class: 'config' });
  });

  test('whose folder to run in is gone', async () => {
    const script = runningScript(['ok.sh'], { cwd: '/no/such/folder' });
    expect(failureOf(await script.run())).toMatchObject({ code: 'working_directory_missing', origin: 'local' });
  });
});

describe('spools', () => {
  test('are private while the script runs, and gone when it is over', async () => {
    const script = runningScript(['slow.sh'], { input: 'token' });
    const outcome = script.run();
    await script.pids();
    const names = script.spools();
    // What went to stdin has no name any more.
    expect(names.map((name) => name.replace(/^.*\./, '')).sort()).toEqual(['stderr', 'stdout']);
    for (const name of names) expect(statSync(join(script.spoolDirectory, name)).mode & 0o777).toBe(0o600);
    expect(statSync(script.spoolDirectory).mode & 0o777).toBe(0o700);
    script.refresh.cancel(1);
    expect(failureOf(await outcome).code).toBe('cancelled');
    expect(script.spools()).toEqual([]);
  });

  test('F33: that hold an answer stay until the attempt is closed: nothing else holds it yet', async () => {
    const script = runningScript(['ok.sh']);
    expect(await script.run()).toMatchObject({ kind: 'response' });
    expect(script.spools()).not.toEqual([]);
    await script.refresh.closed?.(1);
    expect(script.spools()).toEqual([]);
  });

  test('that stay hold no descriptor', async (context) => {
    if (process.platform !== 'linux') context.skip('/proc shows which files a process has open; not here');
    const script = runningScript(['ok.sh']);
    await script.run();
    expect(script.spools()).not.toEqual([]);
    expect(openFiles().filter((path) => path.startsWith(script.spoolDirectory))).toEqual([]);
  });

  test('of an attempt that was closed before its run had ended go with the next run', async () => {
    const script = runningScript(['ok.sh']);
    await script.refresh.closed?.(1);
    await script.run(requestFor('1'));
    const [late] = script.spools();
    await script.run(requestFor('2'));
    expect(script.spools()).toHaveLength(2);
    expect(script.spools()).not.toContain(late);
  });

  test('of dead daemons are swept when told, those of a living one are not', async () => {
    const first = runningScript(['slow.sh']);
    const outcome = first.run();
    await first.pids();
    const living = first.spools();
    writeFileSync(join(first.spoolDirectory, 'run-1.999999999-1.stdout'), 'left');
    writeFileSync(join(first.spoolDirectory, 'not-ours.txt'), 'left');
    const told: unknown[] = [];
    createLeftRuns({ spoolDirectory: first.spoolDirectory, log: (...record) => told.push(record) }).sweep();
    expect(first.spools().sort()).toEqual([...living, 'not-ours.txt'].sort());
    expect(told).toEqual([['info', 'stale_spools_removed', { files: 1 }]]);
    first.refresh.cancel(1);
    await outcome;
  });

  test('that cannot be written are a failure that surely sent nothing', async () => {
    const script = runningScript(['ok.sh'], { spoolDirectory: join(FIXTURES, 'ok.sh') });
    expect(failureOf(await script.run())).toMatchObject({ class: 'transient', code: 'spool_failed', unsent: true });
  });
});

describe('one run at a time', () => {
  test('a second run is refused while the first may still be sending', async () => {
    const script = runningScript(['slow.sh']);
    const first = script.run();
    await script.pids();
    const second = failureOf(await script.run(requestFor('2')));
    expect(second).toMatchObject({ class: 'transient', code: 'script_still_running', unsent: true, doubt: false });
    script.refresh.cancel(1);
    await first;
  });

  test('a cancellation of another attempt, or of one that is over, does nothing', async () => {
    const script = runningScript(['ok.sh']);
    script.refresh.cancel(7);
    expect(await script.run()).toMatchObject({ kind: 'response' });
    script.refresh.cancel(1);
    expect(await script.run()).toMatchObject({ kind: 'response' });
  });
});

test('A10: a running script has no secret in its arguments or environment, and is told what it needs', async (context) => {
  if (process.platform !== 'linux') context.skip('/proc shows arguments and environments of processes; not here');
  const script = runningScript(['slow.sh'], { input: 'token' });
  const request = requestFor('1');
  const outcome = script.run(request);
  const pids = await script.pids();
  for (const pid of pids) {
    const shown = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(shown).not.toContain(STORED.accessToken);
    expect(shown).not.toContain(STORED.refreshToken);
  }
  const environment = readFileSync(`/proc/${pids[0]}/environ`, 'utf8').split('\0').filter(Boolean);
  expect(environment.map((line) => line.split('=')[0]).sort()).toEqual(
    [
      'FIXTURE_PIDS',
      'FRESHD_ATTEMPT',
      'FRESHD_CREDENTIAL',
      'FRESHD_REASON',
      'FRESHD_RUN_ID',
      'FRESHD_STORE',
      'PATH',
      'PWD',
    ]
      // The shell adds PWD for its own children only.
      .filter((name) => name !== 'PWD'),
  );
  expect(environment).toContain(`FRESHD_RUN_ID=${request.runId}`);
  expect(environment).toContain('FRESHD_STORE=/nowhere/demo.json');
  script.refresh.cancel(1);
  await outcome;
});

/** Of this process; those that vanish while they are listed are left out. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    const path = `/proc/self/fd/${descriptor}`;
    return existsSync(path) ? [readlinkSync(path)] : [];
  });
}
