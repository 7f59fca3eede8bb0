/**
 * `freshd doctor`: looks for what breaks in practice, and says the remedy.
 *
 * Rule: changes nothing. Each check is a function of what it may look at, and returns what it found; none depends on another.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type CredentialsBody, type LiveBody, PATHS } from '../../api/protocol.ts';
import type { Config, CredentialConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { call } from '../call.ts';
import { type CommandArguments, CommandError, type CommandIo, type CommandSpec, optionValue } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { paint } from '../format.ts';
import { createHost } from '../service/host.ts';
import { homeOf, recordPlace } from '../service/places.ts';
import { toolsNotFound } from '../service/tools.ts';
import { captureOf } from '../socket-place.ts';
import { troubles } from '../troubles.ts';
import { ownVersion, versionSkew } from '../version.ts';

export const command: CommandSpec = {
  name: 'doctor',
  summary: 'look for what breaks in practice (configuration, daemon, service, credentials), and say the remedy',
  argument: 'none',
  options: [],
  async run(args, io) {
    const loaded = await loadConfig({
      path: optionValue(args, 'config'),
      socket: optionValue(args, 'socket'),
      capture: captureOf(io),
    });
    const found: Finding[] = [];
    if (!loaded.ok) found.push(...loaded.problems.map((text) => problem(text)));
    else {
      found.push(...loaded.advice.map(({ code, message }) => advice(`${code}: ${message}`)));
      for (const check of [checkDaemon, checkOwnState, checkTokenFiles, checkNativeParts, checkLingering, checkTools]) {
        found.push(...(await check({ config: loaded.config, args, io })));
      }
    }
    for (const { isProblem, text } of found) {
      const mark = isProblem ? paint('problem', 'bad', io.isColourful) : paint('advice', 'warning', io.isColourful);
      io.write(`${mark} ${text}\n`);
    }
    if (found.length === 0) io.write(`${paint('nothing found', 'good', io.isColourful)}: all is well\n`);
    if (!loaded.ok) return loaded.kind === 'system' ? EXIT.system : EXIT.configuration;
    return found.some(({ isProblem }) => isProblem) ? EXIT.failure : EXIT.ok;
  },
};

interface Finding {
  /** Tokens are not kept fresh, or will not be; else it is only unwise. */
  readonly isProblem: boolean;
  readonly text: string;
}

const problem = (text: string): Finding => ({ isProblem: true, text });
const advice = (text: string): Finding => ({ isProblem: false, text });

interface Patient {
  readonly config: Config;
  readonly args: CommandArguments;
  readonly io: CommandIo;
}

async function checkDaemon({ config, args, io }: Patient): Promise<readonly Finding[]> {
  const status = await statusOf(args, io);
  // A daemon that runs says itself what is wrong with a store.
  if (typeof status === 'string') return [problem(status), ...config.credentials.flatMap(checkStore)];
  const { daemon, credentials } = status;
  const isLive = await livenessOf(args, io);
  const skew = versionSkew(daemon.version, ownVersion());
  const isOther = daemon.config_path !== config.path;
  return [
    ...(isLive ? [] : [problem(STALLED)]),
    ...(skew === null ? [] : [advice(skew)]),
    ...(isOther ? [advice(`the daemon runs on ${daemon.config_path}, and this is about ${config.path}`)] : []),
    ...credentials.flatMap((credential) =>
      troubles(credential, io).map((text) => problem(`${credential.credential}: ${text}`)),
    ),
  ];
}

/** Whether the login is there, and may be read by whoever asks. */
function checkStore({ name, store, refresh }: CredentialConfig): readonly Finding[] {
  if (!('path' in store) || store.path === null) return [];
  try {
    accessSync(store.path, constants.R_OK);
    return [];
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const login = refresh?.kind === 'oauth' ? `freshd login ${name}` : 'log in with the tool that keeps it there';
    const remedy = error.code === 'ENOENT' ? login : 'give the user that runs freshd the right to it';
    return [problem(`${name}: expected a login that can be read at ${store.path}, got ${error.code}; ${remedy}`)];
  }
}

/** The answer has a status of its own when the scheduler stands still. */
async function livenessOf(args: CommandArguments, io: CommandIo): Promise<boolean> {
  try {
    await call<LiveBody>({ method: 'GET', path: PATHS.live }, args, io);
    return true;
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

async function statusOf(args: CommandArguments, io: CommandIo): Promise<CredentialsBody | string> {
  try {
    return await call<CredentialsBody>({ method: 'GET', path: PATHS.credentials }, args, io);
  } catch (error) {
    const named = optionValue(args, 'config');
    const service = `freshd service install${named === undefined ? '' : ` --config ${named}`}`;
    if (error instanceof CommandError) return `${error.message}; as a service: ${service}`;
    throw error;
  }
}

/** What the daemon could not understand of its own, and kept. It went on without: that is no problem any more. */
async function checkOwnState({ config }: Patient): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const part of ['credentials', 'journal']) {
    const folder = join(config.stateDirectory, part);
    const kept = (await namesIn(folder)).filter((name) => BROKEN_NAME.test(name)).map((name) => join(folder, name));
    if (kept.length === 0) continue;
    const remedy = 'look for disk errors or another program at that time, then remove what you no longer need';
    found.push(advice(`own_state_set_aside: expected own state that is whole, got ${kept.join(' ')}; ${remedy}`));
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    // None yet, or it is another user's daemon: that says what it can itself.
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}

async function checkTokenFiles({ config, io }: Patient): Promise<readonly Finding[]> {
  const folder = config.runtimeDirectory;
  if (io.platform !== 'linux' || !existsSync(folder) || (await statfs(folder)).type === TMPFS) return [];
  const remedy = 'set XDG_RUNTIME_DIR, or RuntimeDirectory= in the unit, to a place in memory (/run)';
  return [advice(`token_files_on_disk: ${folder}: expected storage in memory for token files, got a disk; ${remedy}`)];
}

function checkNativeParts(): readonly Finding[] {
  try {
    import.meta.resolve('koffi');
    return [];
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    const missing = 'no allow rules, no watchdog of systemd, and memory that a debugger of the same user can read';
    return [advice(`no_native_parts: expected the optional package koffi, got none: ${missing}; npm install koffi`)];
  }
}

/** Without lingering the manager of a person, and freshd with it, ends at the last logout. */
function checkLingering({ io }: Patient): readonly Finding[] {
  const { manager, user } = createHost(io);
  if (manager !== 'systemd' || !existsSync(recordPlace('user', homeOf(io)))) return [];
  if (existsSync(join('/var/lib/systemd/linger', user))) return [];
  return [
    problem(`no_lingering: expected ${user} to linger, got a service that ends at logout; loginctl enable-linger`),
  ];
}

function checkTools({ config, io }: Patient): readonly Finding[] {
  const record = createHost(io).record(recordPlace('user', homeOf(io)));
  if (record === null) return [];
  const remedy = 'freshd service install, from a shell that finds it';
  return toolsNotFound(config, Object.keys(record.files)).map((tool) =>
    problem(`tool_not_on_service_path: expected ${tool} on the PATH of the service, got none; ${remedy}`),
  );
}

const STALLED =
  'stalled: the daemon answers, and its scheduler stands still: nothing is refreshed; freshd service logs, then restart it';

const BROKEN_NAME = /\.broken-\d+$/;

/** @see statfs(2) */
const TMPFS = 0x01021994;
