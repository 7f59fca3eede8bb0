/**
 * `freshd status [NAME]`: how the credentials are, what happens next, and what a person has to do.
 *
 * Rule: no secrets; `--json` prints the daemon's answer as it is, `--check` says it in the exit code.
 */
import {
  type ChainBody,
  type ChainDetailBody,
  type CredentialBody,
  type CredentialDetailBody,
  type CredentialsBody,
  PATHS,
} from '../../api/protocol.ts';
import { durationText } from '../../core/duration.ts';
import { call } from '../call.ts';
import { chainDetail, chainTable, chainTroubles } from '../chain-text.ts';
import { type CommandArguments, type CommandIo, type CommandSpec, credentialName, isSwitchedOn } from '../command.ts';
import { consumersText, lateConsumers } from '../consumers.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { type Cell, paint, table } from '../format.ts';
import { type Health, healthOf, healthOfAll, healthOfChain, TONES } from '../health.ts';
import { momentText } from '../time.ts';
import { troubles } from '../troubles.ts';
import { ownVersion, versionSkew } from '../version.ts';

export const command: CommandSpec = {
  name: 'status',
  summary: 'show how the credentials and chains are, and what happens next',
  argument: 'optional',
  options: [
    {
      name: 'watch',
      summary: 'show every change until Ctrl-C: in place on a terminal, else one answer after the other',
    },
    { name: 'json', summary: "the daemon's answer as JSON" },
    { name: 'check', summary: 'exit 0 when usable, 1 when unusable, 2 when degraded or expiring' },
  ],
  async run(args, io) {
    const name = args.name === undefined ? null : credentialName(args);
    const look = (): Promise<Seen> => (name === null ? lookAtAll(args, io) : lookAtOne(name, args, io));
    const seen = isSwitchedOn(args, 'watch')
      ? await watch(name, look, { args, io })
      : await lookOnce(look, { args, io });
    if (seen !== null && seen.advice !== null) io.complain(`freshd: ${seen.advice}`);
    if (!isSwitchedOn(args, 'check')) return EXIT.ok;
    return seen === null ? EXIT.unavailable : CHECK_EXIT[seen.health];
  },
};

interface Seen {
  readonly body: object;
  /** For people. */
  readonly text: string;
  readonly health: Health;
  readonly advice: string | null;
}

interface Context {
  readonly args: CommandArguments;
  readonly io: CommandIo;
}

async function lookAtAll(args: CommandArguments, io: CommandIo): Promise<Seen> {
  const body = await call<CredentialsBody>({ method: 'GET', path: PATHS.credentials }, args, io);
  const advice = versionSkew(body.daemon.version, ownVersion());
  return { body, text: overview(body, io), health: healthOfAll(body), advice };
}

async function lookAtOne(name: string, args: CommandArguments, io: CommandIo): Promise<Seen> {
  const path = PATHS.credential(name);
  const body = await call<CredentialDetailBody | ChainDetailBody>({ method: 'GET', path }, args, io);
  const isChain = 'members' in body;
  const health = isChain ? healthOfChain(body) : healthOf(body);
  return { body, text: isChain ? chainDetail(body, io) : detail(body, io), health, advice: null };
}

async function lookOnce(look: () => Promise<Seen>, { args, io }: Context): Promise<Seen> {
  const seen = await look();
  io.write(isSwitchedOn(args, 'json') ? `${JSON.stringify(seen.body, null, 2)}\n` : seen.text);
  return seen;
}

/** @returns null when the daemon was away at the end */
async function watch(name: string | null, look: () => Promise<Seen>, { args, io }: Context): Promise<Seen | null> {
  // Only here: who asks once waits for no subscription to be loaded.
  const { followStatus } = await import('../follow-status.ts');
  const { createPage, createScroll } = await import('../screen.ts');
  if (isSwitchedOn(args, 'json')) {
    const lookForJson = async () => {
      const seen = await look();
      return { ...seen, text: `${JSON.stringify(seen.body)}\n` };
    };
    return followStatus(name, { look: lookForJson, screen: createScroll(io, '') }, { args, io });
  }
  const rows = io.terminalRows;
  const screen = rows === undefined ? createScroll(io, '\n') : createPage(io, rows);
  return followStatus(name, { look, screen }, { args, io });
}

const CHECK_EXIT: Readonly<Record<Health, ExitCode>> = {
  usable: EXIT.ok,
  unusable: EXIT.failure,
  degraded: EXIT.degraded,
};

function overview({ daemon, credentials, chains }: CredentialsBody, io: CommandIo): string {
  const upMs = io.nowMs() - Date.parse(daemon.started_at);
  const head = `freshd ${daemon.version}, up ${durationText(upMs)}, ${daemon.config_path}\n`;
  if (credentials.length === 0) return `${head}no credentials are configured\n`;
  const rows: Cell[][] = [
    ['CREDENTIAL', 'STATUS', 'EXPIRES', 'NEXT'].map((text) => ({ text, tone: 'quiet' })),
    ...credentials.map((credential): Cell[] => [
      { text: credential.credential },
      { text: credential.status, tone: TONES[healthOf(credential)] },
      { text: expiryText(credential, io) },
      { text: nextText(credential, io) },
    ]),
  ];
  const byName = new Map(credentials.map((credential) => [credential.credential, credential]));
  const healthIn = (chain: ChainBody): Health => healthOfChain(chain, byName.get(chain.credential ?? ''));
  const notes = [
    ...chains.flatMap((chain) => chainTroubles(chain).map((trouble) => `${chain.chain}: ${trouble}\n`)),
    ...credentials.flatMap((credential) =>
      troubles(credential, io).map((trouble) => `${credential.credential}: ${trouble}\n`),
    ),
  ];
  const tables = `${table(rows, io.isColourful)}${chainTable(chains, healthIn, io)}`;
  return `${head}\n${tables}${notes.length > 0 ? '\n' : ''}${notes.join('')}`;
}

function attemptText({ attempt, began_at, reason }: Attempt, io: CommandIo): string {
  return `#${attempt} ${momentText(began_at, io.nowMs())}${reason === null ? '' : `, ${reason}`}`;
}

type Attempt = NonNullable<CredentialDetailBody['last_attempt']>;

function detail(credential: CredentialDetailBody, io: CommandIo): string {
  const { last_attempt: attempt, publications } = credential;
  const status = `${credential.status}${credential.refreshable ? '' : ', not refreshable'}${credential.durable ? '' : ', not durable'}`;
  const rows: Cell[][] = [
    ['credential', credential.credential],
    ['status', status],
    ['phase', credential.reason === null ? credential.phase : `${credential.phase} (${credential.reason})`],
    ['expires', expiryText(credential, io)],
    ['generation', credential.generation === null ? '-' : String(credential.generation)],
    ['next', `${nextText(credential, io)}${credential.next.why === '' ? '' : `: ${credential.next.why}`}`],
    ['last attempt', attempt === null ? '-' : attemptText(attempt, io)],
    [
      'last success',
      credential.last_succeeded_at === null ? '-' : momentText(credential.last_succeeded_at, io.nowMs()),
    ],
    ['failures', String(credential.failures)],
    ['consumers', consumersText(credential.consumers)],
  ].map(([label = '', text = '']): Cell[] => [
    { text: label, tone: 'quiet' },
    label === 'status' ? { text, tone: TONES[healthOf(credential)] } : { text },
  ]);
  const targets = publications.map((publication): Cell[] => [
    { text: 'published', tone: 'quiet' },
    {
      text: `${publication.target}: ${publication.status}`,
      tone: publication.status === 'failed' ? 'warning' : 'plain',
    },
  ]);
  const late = lateConsumers(credential).map((text): Cell[] => [{ text: 'behind', tone: 'quiet' }, { text }]);
  const notes = troubles(credential, io).map((trouble) => `\n${paint(trouble, 'warning', io.isColourful)}`);
  return `${table([...rows, ...targets, ...late], io.isColourful)}${notes.join('')}${notes.length > 0 ? '\n' : ''}`;
}

function expiryText({ expires_at, expiry_assumed, status }: CredentialBody, io: CommandIo): string {
  if (expires_at === null) return status === 'none' ? '-' : 'never';
  return `${expiry_assumed ? 'perhaps ' : ''}${momentText(expires_at, io.nowMs())}`;
}

function nextText({ next }: CredentialBody, io: CommandIo): string {
  const what = next.what.replaceAll('_', ' ');
  return next.at === null ? what : `${what} ${momentText(next.at, io.nowMs())}`;
}
