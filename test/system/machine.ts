/**
 * A machine of its own that runs systemd, in namespaces of this one; the network is the host's. It ends with the test that asked.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const SANDBOX = join(import.meta.dirname, 'systemd-sandbox.sh');

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  /** Runs a program as root. */
  run(...argv: readonly string[]): Promise<Ran>;
  /** Runs shell text as root. @throws when it fails @returns what it printed, without the last line's end */
  sh(text: string): Promise<string>;
  write(path: string, content: string | object, mode?: number): Promise<void>;
  read(path: string): Promise<string>;
  /** Of `systemctl show`. */
  property(unit: string, name: string): Promise<string>;
  end(): Promise<void>;
}

/** Why there can be none here; empty: there can. */
export function whyNoMachine(): string {
  const { status, stdout, error } = spawnSync(SANDBOX, ['why-not'], { encoding: 'utf8' });
  if (error !== undefined) return `cannot be run: ${error.message}`;
  return status === 0 ? stdout.trim() : 'cannot be asked';
}

/** @param paths of the host that both share; everything else is a copy in memory */
export async function bootMachine(paths: readonly string[]): Promise<Machine> {
  const sandbox = spawn(SANDBOX, ['boot', ...paths], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { value } = await createInterface({ input: sandbox.stdout })[Symbol.asyncIterator]().next();
  const pid = /^ready (\d+)$/.exec(String(value))?.[1];
  if (pid === undefined) throw new Error('systemd did not come up in its sandbox');
  // Not a call that blocks: servers that the machine talks to live in this very process.
  const enter = (argv: readonly string[], input = ''): Promise<Ran> =>
    new Promise((resolve) => {
      const child = execFile(SANDBOX, ['enter', pid, ...argv], OPTIONS, (_error, stdout, stderr) =>
        resolve({ status: child.exitCode, stdout, stderr }),
      );
      if (input !== '') child.stdin?.end(input);
      else child.stdin?.destroy();
    });
  const demand = async (argv: readonly string[], input?: string): Promise<string> => {
    const { status, stdout, stderr } = await enter(argv, input);
    if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  };
  return {
    run: (...argv) => enter(argv),
    sh: (text) => demand(['sh', '-euc', text]),
    read: (path) => demand(['cat', path]),
    async write(path, content, mode = 0o644) {
      const text = typeof content === 'string' ? content : JSON.stringify(content);
      await demand(['sh', '-euc', WRITE, '_', path, mode.toString(8)], text);
    },
    property: (unit, name) => demand(['systemctl', 'show', '--property', name, '--value', unit]),
    async end() {
      if (sandbox.exitCode !== null) return;
      const ended = once(sandbox, 'exit');
      sandbox.stdin.end();
      await ended;
    },
  };
}

/** As a package would: the program in `/opt/freshd`, readable by everybody, and `freshd` on the PATH. */
export async function installProgram(machine: Machine): Promise<void> {
  const parts = ['bin', 'dist', 'scripts', 'systemd', 'node_modules'].map((name) => realpathSync(resolve(name)));
  for (const path of parts) {
    const target = `/opt/freshd/${path.split('/').at(-1)}`;
    await machine.sh(`mkdir -p ${target}; mount --bind '${path}' ${target}`);
  }
  await machine.sh(
    `cp '${resolve('package.json')}' /opt/freshd/; : >/opt/node; mount --bind '${process.execPath}' /opt/node`,
  );
  await machine.write('/usr/bin/freshd', '#!/bin/sh\nexec /opt/node /opt/freshd/bin/freshd.js "$@"\n', 0o755);
}

/** The checkout, and what of it lies elsewhere: what `installProgram` needs of the host. */
export const programPaths = (): readonly string[] => [resolve('.'), realpathSync(resolve('node_modules'))];

// What comes on standard input, as a whole and never with another mode.
const WRITE = 'mkdir -p "$(dirname "$1")"; cat >"$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1"';

// A stop waits for a script of some seconds; nothing that is asked here takes longer.
const OPTIONS = { encoding: 'utf8', timeout: 60_000, maxBuffer: 64 * 1024 * 1024 } as const;
