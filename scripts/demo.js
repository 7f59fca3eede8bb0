/**
 * The demo behind `npm start`: a local authorization server, a first login, and the daemon on the shipped config.json.
 *
 * Rule: everything lies in ./.demo, made anew at each start, and nothing of it outlives this process: the daemon is our child and
 * is ended with us, the authorization server runs inside us.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startAuthorizationServer } from './demo-authorization-server.js';

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const demo = join(checkout, '.demo');

const NODE_MAJOR_MIN = 20;

function missingTools() {
  const missing = [];
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
    missing.push(`Node ${NODE_MAJOR_MIN} or newer (this is ${process.version}): https://nodejs.org`);
  }
  if (spawnSync('curl', ['--version'], { stdio: 'ignore' }).status !== 0) {
    missing.push('curl, which the refresh script uses (Debian: apt-get install curl; macOS has it)');
  }
  return missing;
}

/** A daemon of another demo, or of one that was killed: taking its files away would not end it. */
function isRunning() {
  return new Promise((resolve) => {
    const socket = connect(join(demo, 'freshd.sock'));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const say = (text = '') => process.stdout.write(`${text}\n`);

function introduce(url) {
  const path = (name) => join(demo, name);
  say('freshd demo: a credential whose access token lives for 60 s, refreshed when a third of that is left');
  say();
  say(`  authorization server  ${url}   (rotating refresh tokens; a reused one revokes them all)`);
  say(`  published token       ${path('.env')}`);
  say(`  socket                ${path('freshd.sock')}`);
  say(`  log                   ${path('daemon.log')}`);
  say();
  say('In another terminal, in this folder:');
  say('  npx freshd status --config config.json          what is held, and what comes next');
  say('  npx freshd token demo --config config.json      the token, for a program');
  say('  npx freshd explain demo --config config.json    why it will be refreshed, and when');
  say(`  curl -s -X POST ${url}/admin/revoke     end the login: see the alert, and what the daemon does`);
  say('With a login of your own: see README.md, "Your own credential". Ctrl-C ends the demo.');
  say();
}

/** Shows the daemon's log on the screen and keeps it. */
function follow(daemon) {
  const file = createWriteStream(join(demo, 'daemon.log'), { mode: 0o600 });
  for (const stream of [daemon.stdout, daemon.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      file.write(`${line}\n`);
      say(line);
    });
  }
}

async function main() {
  const missing = missingTools();
  if (missing.length > 0) {
    for (const tool of missing) process.stderr.write(`the demo needs ${tool}\n`);
    return 69;
  }
  if (await isRunning()) {
    const pid = readFileSync(join(demo, 'state/lock.pid'), 'utf8').trim();
    process.stderr.write(`a demo runs in ${demo} already; end it with Ctrl-C there, or: kill ${pid}\n`);
    return 75;
  }
  rmSync(demo, { recursive: true, force: true });
  mkdirSync(join(demo, 'run'), { recursive: true, mode: 0o700 });
  const server = await startAuthorizationServer({ lifeSeconds: 60 });
  const first = { ...server.seed(), obtained_at: new Date().toISOString() };
  writeFileSync(join(demo, 'token.json'), `${JSON.stringify(first, null, 2)}\n`, { mode: 0o600 });
  introduce(server.url);
  const daemon = spawn(
    process.execPath,
    [join(checkout, 'bin/freshd.js'), 'run', '--config', join(checkout, 'config.json')],
    {
      cwd: checkout,
      // A session of its own: Ctrl-C reaches it once, through us, and not a second time from the terminal.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        FRESHD_DEMO_TOKEN_ENDPOINT: server.tokenEndpoint,
        RUNTIME_DIRECTORY: join(demo, 'run'),
        FRESHD_LOG: 'pretty',
      },
    },
  );
  // Whatever ends us, a screen that went away among it: the daemon has a session of its own and would stay.
  process.once('exit', () => daemon.kill('SIGTERM'));
  follow(daemon);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => daemon.kill('SIGTERM'));
  const status = await new Promise((resolve) => daemon.once('exit', (code) => resolve(code ?? 70)));
  await server.close();
  return status;
}

process.exitCode = await main();
