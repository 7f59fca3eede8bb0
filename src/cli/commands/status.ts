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
import { type CommandIo, type CommandSpec, credentialName, isSwitchedOn } from '../command.ts';
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
    { name: 'json', summary: "the daemon's answer as JSON" },
    { name: 'check', summary: 'exit 0 when usable, 1 when unusable, 2 when degraded or expiring' },
  ],
  async run(args, io) {
    if (args.name !== undefined) {
      const path = PATHS.credential(credentialName(args));
      const one = await call<CredentialDetailBody | ChainDetailBody>({ method: 'GET', path }, args, io);
      const isChain = 'members' in one;
      const text = isChain ? chainDetail(one, io) : detail(one, io);
      io.write(isSwitchedOn(args, 'json') ? json(one) : text);
      const health = isChain ? healthOfChain(one) : healthOf(one);
      return isSwitchedOn(args, 'check') ? CHECK_EXIT[health] : EXIT.ok;
    }
    const all = await call<CredentialsBody>({ method: 'GET', path: PATHS.credentials }, args, io);
    io.write(isSwitchedOn(args, 'json') ? json(all) : overview(all, io));
    const skew = versionSkew(all.daemon.version, ownVersion());
    if (skew !== null) io.complain(`freshd: ${skew}`);
    return isSwitchedOn(args, 'check') ? CHECK_EXIT[healthOfAll(all)] : EXIT.ok;
  },
};

const CHECK_EXIT: Readonly<Record<Health, ExitCode>> = {
  usable: EXIT.ok,
  unusable: EXIT.failure,
  degraded: EXIT.degraded,
};

const json = (body: object): string => `${JSON.stringify(body, null, 2)}\n`;

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
    ['last attempt', attempt === null ? '-' : `#${attempt.attempt} ${momentText(attempt.began_at, io.nowMs())}`],
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
