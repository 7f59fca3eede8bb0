/**
 * What is left lying about: temps and spools with tokens in them (I7), descriptors and timers that pile up (I12).
 */
import { dirname } from 'node:path';
import { STATE } from '../scenario.ts';
import type { World } from '../world.ts';
import type { Calm } from './calm.ts';
import { SECRET } from './log.ts';

export function watchLeftovers(world: World, calm: Calm): void {
  let minutes = 0;
  world.on.minute.push(() => {
    minutes += 1;
    if (minutes % EVERY_MINUTES !== 0) return;
    const { life, scenario, disk } = world;
    const daemon = life?.running?.daemon;
    if (life === null || daemon === undefined) return;
    const isQuiet = scenario.credentials.every(({ name }) => daemon.state(name)?.phase.kind !== 'refreshing');
    if (life.owner.pending > PENDING_MAX) world.fail('I12', `${life.owner.pending} timers and operations are pending`);
    if (!isQuiet || world.scheduler.now - calm.ofMachine() < SETTLED_MS || world.crashes.isDangerous) return;
    const open = disk.openPaths().length;
    if (open > OPEN_MAX) world.fail('I12', `${open} descriptors are open: ${disk.openPaths().join(' ')}`);
    const publications = scenario.credentials.flatMap(({ envPath, tokenPath }) => [
      dirname(envPath),
      dirname(tokenPath),
    ]);
    const stores = scenario.credentials.map(({ storePath }) => dirname(storePath));
    for (const directory of new Set([
      STATE,
      `${STATE}/credentials`,
      `${STATE}/journal`,
      `${STATE}/spool`,
      ...publications,
      ...stores,
    ])) {
      judgeDirectory(world, directory);
    }
    judgeText(world, `${STATE}/run/down`);
    judgeText(world, `${STATE}/credentials`);
  });
}

function judgeDirectory(world: World, directory: string): void {
  for (const name of world.disk.list(directory)) {
    const path = `${directory}/${name}`;
    const isTemp = /\.freshd-\d+-|\.stdout$/.test(name);
    if (isTemp && SECRET.test(world.disk.readText(path) ?? '')) world.fail('I7', `a token is left in ${path}`);
  }
}

function judgeText(world: World, directory: string): void {
  for (const name of world.disk.list(directory)) {
    if (SECRET.test(world.disk.readText(`${directory}/${name}`) ?? ''))
      world.fail('I7', `a token in ${directory}/${name}`);
  }
}

// What is left over stays; to look seldom is to look enough.
const EVERY_MINUTES = 10;

// The daemon's lock, one look at each store, and what is being saved.
const OPEN_MAX = 20;

// Alarm and back-stop, waiting readers, requests, operations: a few for each of four credentials.
const PENDING_MAX = 100;

// Longer than any sweep after a start, and than the wait for the runs that an earlier life left.
const SETTLED_MS = 10 * 60_000;
