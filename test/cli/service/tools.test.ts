import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runIn } from '../arrange.ts';

/** A person whose installed service has this PATH, and whose `claude` lies in `tools` of the home. */
function home(path: (directory: string) => string): string {
  const directory = mkdtempSync(join(tmpdir(), 'freshd-tools-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, '.config/freshd'), { recursive: true, mode: 0o700 });
  mkdirSync(join(directory, 'tools'));
  writeFileSync(join(directory, 'tools/claude'), '#!/bin/sh\n', { mode: 0o700 });
  const claude = {
    store: { format: 'claude-code' },
    refresh: { command: [join(directory, 'tools/claude')], result: 'store' },
  };
  writeFileSync(join(directory, '.config/freshd/config.json'), JSON.stringify({ credentials: { claude } }), {
    mode: 0o600,
  });
  const unit = join(directory, 'freshd.service');
  writeFileSync(unit, `[Service]\nEnvironment=PATH=${path(directory)}\n`);
  const record = { version: 1, manager: 'systemd', scope: 'user', files: { [unit]: '' }, enabledLingering: false };
  writeFileSync(join(directory, '.config/freshd/service-install.json'), JSON.stringify(record));
  return directory;
}

const doctor = (directory: string) =>
  runIn({ home: directory, uid: process.getuid?.() ?? null, env: { PATH: join(directory, 'tools') } }, 'doctor');
const MISSING =
  /^problem tool_not_on_service_path: expected claude on the PATH of the service.*freshd service install/m;

test('F76: doctor names the tool of a login that the installed service does not find, though the shell does', async () => {
  expect((await doctor(home(() => '/nowhere:/usr/bin'))).stdout).toMatch(MISSING);
});

test('a tool that lies on the PATH of the service is nothing to speak of', async () => {
  expect((await doctor(home((directory) => `/nowhere:${directory}/tools`))).stdout).not.toMatch(MISSING);
});
