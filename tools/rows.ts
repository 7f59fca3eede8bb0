/**
 * The rows that tests cite: 86 faults (F1 to F86), and what five outages taught (A1 to E6); each in one line of words.
 *
 * Rule: a row is `number | what happens | what freshd does`. What no test shows yet stands in LATER or PARTLY with its reason; a
 * mark that is no longer true fails the check as much as a row that nothing shows.
 */

export interface Row {
  readonly id: string;
  /** What happens; of an outage's lesson: in which setting. */
  readonly what: string;
  readonly behaviour: string;
}

const FAULTS = `
F1 | The token endpoint refuses the connection, or its name does not resolve | Retried with jitter; nothing is in doubt; the old token is served meanwhile, and status says why
F2 | It accepts the connection and never answers | The attempt ends at its time limit. If the request was sent, the result is in doubt: no immediate repetition, and a repetition without an answer keeps the doubt
F3 | The answer is lost after the server has rotated | The journal shows an open attempt; the store is read again, then sent once more, guarded. Only an answer that refuses makes it \`lost_response\`
F4 | The server answers 500, 502, 503 or 504 | Transient, and in doubt where refresh tokens rotate
F5 | 429 with Retry-After, in seconds or as a date | Waited for, up to six hours, also past the expiry (one alert says until when); not counted as a failed try
F6 | 429 without Retry-After | The wait doubles from the retry interval to the recovery interval; the hourly budget holds
F7 | \`invalid_grant\`, and the store is what it was | Attempts stop, one alert names the command that helps; the access token is served until its expiry
F8 | \`invalid_grant\`, and another process has changed the store | What the store holds is adopted, without an alert; nothing is deleted
F9 | \`invalid_client\` | A matter of configuration: attempts stop, until configuration, secret or store changes; one probe every six hours
F10 | \`invalid_scope\`, \`unsupported_grant_type\`, \`unauthorized_client\` | As F9
F11 | A firewall answers 403 with a page, or a proxy 407 | Transient, with an alert; the token is kept
F12 | 200 with HTML (a captive portal) | Not believed, whatever its status; transient
F13 | 200 with JSON that names an error | The code decides, not the status
F14 | 200 without an access token | A refresh token in it is stored; nothing is published; transient
F15 | 200 without a refresh token | The old refresh token is kept
F16 | A rotated refresh token that the store does not take | Kept and served as not durable, written again soon; health is degraded; the old refresh token is never sent again
F17 | \`expires_in\` missing, 0, negative, a string, or absurdly large | A numeric string is a number; missing, 0 or negative means an assumed life that never takes a token away; ten years at most
F18 | The new token is already expired on arrival | Its refresh token is stored; it is not published and is no progress
F19 | The same token or the same expiry again | A new refresh token in it is stored. No failure and no alert while the token is usable; asked again at half of what is left
F20 | A token that is valid only in the future, because clocks disagree | Published when it is valid; refreshed when the local clock was set back
F21 | Tokens that live 30 seconds | The floor holds: no hot loop, and a warning
F22 | Tokens that live 60 days | Long waits are cut into short ones; nothing overflows
F23 | A script exits with an error and says nothing | Its exit code decides the class; stderr is kept for people, redacted and limited
F24 | A script hangs | Its process group gets SIGTERM, then SIGKILL; no retry before the group is empty
F25 | A script leaves a child behind | After a timeout it is killed, and no retry starts while it lives; after an end by itself it neither delays the result nor is killed
F26 | A script ignores SIGTERM | SIGKILL after the grace; the bound on the whole holds
F27 | A script prints megabytes, binary data or broken UTF-8 | Its output is limited to 1 MiB and refused
F28 | A script prints a token to stderr | It is redacted before anything is logged
F29 | A script is missing, not executable, of another owner, or writable by others | Not run; looked at again with the store, and resumed by itself
F30 | A script is killed while it prints | Half an answer is no answer, and leaves a doubt
F31 | No process can be started (limits of the system) | Transient, and surely not sent; the daemon lives
F32 | SIGKILL between the record of an attempt and its request | After the restart the open attempt is reconciled: in doubt, the store first, then one guarded send
F33 | SIGKILL after the answer, before the store has it | What was caught of the answer is used; else one guarded send, and a plain message if the grant is gone
F34 | SIGKILL after the store, before the publication | The restart publishes what the store holds and refreshes nothing
F35 | SIGKILL between temporary file and rename | The old file is whole; the temporary file had mode 0600 and is removed
F36 | Power fails after the rename | The old file or the new one, whole; data and directory are synced
F37 | A file of state is cut off, empty, no JSON, or of another version | Set aside or left alone, never overwritten; the credential is marked, the others go on
F38 | A file of state is readable by others, or of another owner | Our own is repaired with a warning; of a store it is said; another owner’s file is refused for that credential
F39 | The disk is full when state or store is written | The journal, allocated beforehand, holds the answer; then as F16
F40 | The disk is full only where the \`.env\` lies | The socket serves the new token; that target shows as failed and is retried alone; no temporary file is left
F41 | No inodes, over quota, read-only, or an I/O error | As F39 and F40, each under a code of its own
F42 | The \`.env\` is a bind-mounted file | An error that names the way out; written in place only when asked
F43 | The \`.env\` is a symlink, a directory, a FIFO or has a second name | Refused; a symlink is followed only when asked
F44 | Somebody edits the file while it is written | What they wrote is kept; the file is read again right before the rename
F45 | A value with line breaks, quotes, \`$\`, \`#\` or a byte-order mark | Quoted so that every common reader reads it back the same, or refused
F46 | A target’s directory is missing or becomes read-only | That target shows as failed, and recovers without a restart
F47 | The wall clock jumps ahead by an hour or ten years | Everything is judged anew at once; no flood of attempts
F48 | The wall clock is set back by an hour or to 1970 | The monotonic clock ends the token’s life; a token from the future is refreshed
F49 | Eight hours of suspend, then no network | Noticed within 30 s; for two minutes what was not sent is retried at the floor, uncounted; no burst
F50 | Suspend while an attempt is under way | In doubt, not simply retried
F51 | The process is stopped for ten minutes, or the machine pauses | As F49
F52 | A second daemon on one state directory | Refused before it reads a store; the message names the first one’s pid
F53 | Daemon, command line and other tools want the same grant at once | One request; the others adopt its result
F54 | The holder of a lock dies | The kernel frees the lock at once
F55 | The holder of a lock stalls until it was taken over, then writes | The write is refused
F56 | A socket is left behind by SIGKILL | Replaced once nobody answers on it
F57 | A living second instance owns the socket | Refused; a living socket is never removed
F58 | A socket path longer than the system allows | Refused when the configuration is checked
F59 | The socket or its directory is removed while the daemon runs | Noticed, made again, and said
F60 | A client sends nothing, one byte a second, ten megabytes, junk, or connects 5,000 times | Limits and deadlines for each connection; refreshes are not disturbed
F61 | A subscriber is slow or dead | It gets the latest value or is dropped; it delays nobody
F62 | A consumer of another user, or of a reused pid | Refused by the directory’s mode and by a look at the peer; said without the token
F63 | SIGTERM during a refresh or a publication, twice, or SIGHUP meanwhile | Finished, or recorded as in doubt; no torn file; the new configuration takes effect between attempts
F64 | A thousand virtual hours with random faults | The invariants hold; memory and descriptors stay flat; attempts are bounded
F65 | The refresh script drives a tool that takes its own lock | freshd does not hold that lock meanwhile; the refresh succeeds
F66 | A tool refreshes only in its token’s last five minutes | Earlier runs are no failure, raise no alert and use up nothing
F67 | A network that swallows everything all night, with a rotating grant | No \`lost_response\`, no flood of repetitions; it works again when the network does
F68 | A consumer refuses every token, by its own fault | The budget bounds the rotations, an alert says so, the others keep their token
F69 | One false 401 while the endpoint is down for an hour | The valid token is usable again after the hold; files keep it throughout
F70 | A store is blanked by its own tool | The token is served until its expiry; nothing is sent; it is back when the store is
F71 | The daemon is killed, its script lives on | The next daemon waits for it or ends it, with its group, before it sends anything
F72 | An answer could not be stored, the daemon was killed, and the tool has rotated meanwhile | The store wins; the held answer is set aside and tried once before anybody is asked to log in
F73 | A token without a known expiry | Never taken away on an assumption
F74 | Twenty credentials are due at once | A few run at a time, the nearest expiry first
F75 | One store entry, or one variable of a \`.env\`, configured twice | An error of configuration that names both
F76 | The service runs without the PATH of a login | The check and the first start name the missing program and the way out
F77 | A script prints a complete answer, then hangs and is killed | A success; the answer is stored
F78 | 502, 504 or a reset after the request, and the server has rotated | In doubt; a guarded send; \`lost_response\` if it is refused
F79 | The provider is back 30 s after the expiry, and the retries are used up | Usable within the retry interval
F80 | A backup, or another account’s login, is copied over the store | No rotation: said, and left to the operator
F81 | The \`.env\` holds the user’s own value for a published variable | The first publication takes it over and says so; a withdrawal never removes what freshd did not write
F82 | A hook calls \`freshd refresh\`, or the tool whose store was just written | No loop, no deadlock
F83 | The \`.env\` lies on a network mount that hangs | Other targets, journal and socket go on; that target shows as failed
F84 | A crash between store and own state | No consumer ever sees a new token under an old generation
F85 | The token endpoint redirects to another host | An error; the refresh token is not sent there
F86 | A script starts an agent that is to live on, and succeeds | The agent lives; only a run that timed out is swept
`;

const LESSONS = `
A1 | No refresh was scheduled, because an outside scheduler had failed | The schedule lives in the process
A2 | Refreshing came too late | It starts ahead of the expiry: a margin, at most a third of the life; at once when already inside it
A3 | Nothing tried again | A failure is retried at a flat interval; a next wake-up always exists
A4 | A refresh hung | It has a time limit; then its whole process group ends, and nothing survives
A5 | Retries were used up | Recovery goes on for ever, more often around the expiry
A6 | A consumer got a 401 | A refresh starts at once
A7 | A reader got a token about to end | It can demand a remaining life, and waits for the refresh
A8 | Nobody was told | First failure, third in a row, recovery begun, restored: each once in an episode, each switchable
A9 | An event was missed | A regular look does what is due; consumers hold their jobs and lose none
A10 | Secrets in logs | Every failure is logged with time and context; no token anywhere but where it belongs
A11 | Attempts without measure | Floor and hourly budget; rapid repetition raises an alert
A12 | No figures | Metrics for attempts, failures, recovery, rejections
A13 | Text of an agent that merely mentions a 401 was believed | A failure is recognised by structure only
A14 | Files were rewritten carelessly | A \`.env\` keeps its other lines, a store everything that is not ours
A15 | Fixed limits | Margin, intervals, number of retries, time limit and alerts are settings
A16 | Nobody knew what to do | A guide to troubleshooting and a description of a token’s life
A17 | One platform only | Linux and macOS; core and client also on Windows
A18 | Trying it out was a risk | A dry run says what would be done, and does nothing
B1 | A 401 counted as noise | It is a kind of failure of its own, and raises an alert
B2 | A consumer repeated the dead token | It gets a newer one, and retries once with that
B3 | Many workers hammered with a dead token | A token that is reported and confirmed is withheld from all
B4 | Background work failed | It pauses until a fresh token is there, and resumes
B5 | Nobody knew a token’s age | Every token has an expiry and a generation that consumers see
C1 | No fallback | A second credential in the configuration takes over
C2 | Nobody saw which credential was in use | Answers, log and metrics say it
C3 | Switching cost jobs | With a fallback no job fails, and the way back is automatic
C4 | Only the log knew that a credential was down | A sentinel file says so, and why, as long as it lasts
D1 | One broken credential stopped the whole | It is marked with a reason; the others go on
D2 | It had to be restarted by hand | It comes back by itself when its state does
D3 | A silent stop | One WARN line: which, why, what instead, what brings it back
D4 | Alive but idle | Health shows the next wake-up; a stalled scheduler is noticed and restarted
D5 | State destroyed at run time | Shown with a running daemon while others refresh
E1 | A dead session was retried | The first terminal failure stops the attempts
E2 | The wrong words were taken for it | Recognised by exact shape, in its context
E3 | Seven thousand reports | One alert in an episode, with the command that helps
E4 | The stop left no trace | It is logged under a stable name with credential, attempt and code
E5 | Downstream work failed one by one | Consumers are told that a person must act
E6 | It had to be restarted after the login | It resumes when the stored credential changes
`;

/** Nothing shows these yet, and why. */
export const LATER: Readonly<Record<string, string>> = {};

/** A part of these is not shown yet, and why. */
export const PARTLY: Readonly<Record<string, string>> = {
  F59: 'it is said in the log; alerts belong to credentials',
  A17: 'runs on macOS and Windows need other machines',
};

export const FAULT_ROWS: readonly Row[] = parse(FAULTS);
export const LESSON_ROWS: readonly Row[] = parse(LESSONS);

function parse(table: string): readonly Row[] {
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [id, what, behaviour, ...rest] = line.split(' | ');
      if (!id || !what || !behaviour || rest.length > 0) throw new Error(`expected three cells, got: ${line}`);
      return { id, what, behaviour };
    });
}
