/**
 * `freshd watch [NAME]`: what happens to credentials and chains, a line each, as it happens.
 *
 * Rule: no secrets: of a token only its generation and expiry are shown. Ends when it is told to, and never because the daemon did.
 */
import { type AlertEvent, type ChainEvent, PATHS, type PhaseEvent, type TokenEvent } from '../../api/protocol.ts';
import type { StreamEvent } from '../../client/event-stream.ts';
import { call } from '../call.ts';
import { type CommandIo, type CommandSpec, credentialName, isSwitchedOn } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { paint, type Tone } from '../format.ts';
import { knownNames } from '../known-names.ts';
import { subscribe } from '../subscribe.ts';
import { isoText, momentText, timeText } from '../time.ts';
import { untilTold } from '../until-told.ts';

export const command: CommandSpec = {
  name: 'watch',
  summary: 'print changes of phase and generation as they happen, until Ctrl-C',
  argument: 'optional',
  options: [{ name: 'json', summary: 'one JSON object a line, without tokens' }],
  async run(args, io) {
    const name = args.name === undefined ? null : credentialName(args);
    const names = name === null ? await knownNames(args, io) : [name];
    if (name !== null) await call<object>({ method: 'GET', path: PATHS.credential(name) }, args, io);
    const print = isSwitchedOn(args, 'json') ? jsonPrinter(io) : linePrinter(io, names);
    const told = untilTold(io);
    let isLost = false;
    const subscription = subscribe(
      name === null ? null : [name],
      {
        onEvent: print,
        onUp() {
          if (isLost) io.complain('freshd: watch: the daemon is back');
          isLost = false;
        },
        onDown({ message }) {
          if (!isLost) io.complain(`freshd: watch: ${message}; waiting for it`);
          isLost = true;
        },
      },
      { args, io },
    );
    await told;
    subscription.close();
    return EXIT.ok;
  },
};

interface Line {
  readonly name: string;
  readonly what: string;
  readonly text: string;
  readonly tone: Tone;
  /** What of it makes it news; a distance in time does not. */
  readonly news: string;
}

/** After a restart the daemon tells its whole state; only what is news is printed. */
function linePrinter(io: CommandIo, names: readonly string[]): (event: StreamEvent) => void {
  const nameWidth = Math.max(0, ...names.map((name) => name.length));
  const last = new Map<string, string>();
  return (event) => {
    const line = lineOf(event, io);
    if (line === null) return;
    const { name, what, text, tone, news } = line;
    if (last.get(`${name} ${what}`) === news) return;
    last.set(`${name} ${what}`, news);
    const columns = [timeText(io.nowMs()), name.padEnd(nameWidth), what.padEnd(WHAT_WIDTH)];
    io.write(`${paint(columns.join('  '), 'quiet', io.isColourful)}  ${paint(text, tone, io.isColourful)}\n`);
  };
}

function jsonPrinter(io: CommandIo): (event: StreamEvent) => void {
  return ({ type, data }) => {
    if (!KINDS.has(type)) return;
    const { access_token: _secret, ...facts } = JSON.parse(data) as Partial<TokenEvent>;
    io.write(`${JSON.stringify({ seen_at: isoText(io.nowMs()), event: type, ...facts })}\n`);
  };
}

function lineOf({ type, data }: StreamEvent, io: CommandIo): Line | null {
  switch (type) {
    case 'token':
      return tokenLine(JSON.parse(data) as TokenEvent, io);
    case 'phase':
      return phaseLine(JSON.parse(data) as PhaseEvent);
    case 'chain':
      return chainLine(JSON.parse(data) as ChainEvent);
    case 'alert':
      return alertLine(JSON.parse(data) as AlertEvent);
    default:
      return null;
  }
}

function tokenLine({ credential, chain, generation, expires_at: expiresAt }: TokenEvent, io: CommandIo): Line {
  const of = chain === undefined ? '' : ` of ${credential}`;
  const end = expiresAt === null ? 'no known expiry' : `expires ${momentText(expiresAt, io.nowMs())}`;
  const text = `generation ${generation}${of}, ${end}`;
  return { name: chain ?? credential, what: 'token', text, tone: 'plain', news: String(generation) };
}

function phaseLine({ credential, phase, reason, status, refreshable, remedy }: PhaseEvent): Line {
  const words = [
    reason === null ? phase : `${phase} (${reason})`,
    status,
    ...(refreshable || phase === 'removed' ? [] : ['not refreshable']),
  ];
  const isReadable = status === 'usable' || status === 'expiring';
  const isCalm = phase === 'fresh' || phase === 'refreshing' || phase === 'removed';
  const text = `${words.join(', ')}${remedy === null ? '' : `: ${remedy}`}`;
  const tone = isReadable ? (isCalm ? 'good' : 'warning') : 'bad';
  return { name: credential, what: 'phase', text, tone, news: text };
}

function chainLine({ chain, credential, status, instead_of: instead, members }: ChainEvent): Line {
  const lacks = members.map((member) => `${member.credential}: ${member.reason}`).join('; ');
  const nobody = status === 'removed' ? 'removed' : `no member is usable: ${lacks}`;
  const why = instead === null ? '' : ` instead of ${instead.credential} (${instead.reason}, ${instead.code})`;
  const text = credential === null ? nobody : `${credential} in use${why}`;
  const tone = credential === null ? 'bad' : instead === null ? 'good' : 'warning';
  return { name: chain, what: 'chain', text, tone, news: text };
}

const alertLine = ({ credential, kind, id, title, remedy }: AlertEvent): Line => ({
  name: credential,
  what: 'alert',
  text: `${kind}: ${title}${remedy === null ? '' : `; ${remedy}`}`,
  tone: 'warning',
  news: id,
});

/** A later daemon may say more, of which nobody here knows whether it is a secret. */
const KINDS: ReadonlySet<string> = new Set(['token', 'phase', 'chain', 'alert']);

const WHAT_WIDTH = Math.max(...[...KINDS].map((kind) => kind.length));
