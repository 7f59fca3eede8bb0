/**
 * What many credentials cost: the start until all are published, memory, and processor time while nothing happens.
 *
 * Rule: memory is read after the daemon has come to rest; the start is compared with a program that only copies tokens.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createSite, ENVIRONMENT, end, memoryOf, processorMsOf, type Site, startDaemon } from './daemon.ts';
import { type Finding, median } from './table.ts';

export async function measureMany(): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let rssKbOfOne = Number.NaN;
  for (const count of COUNTS) {
    const samples: Sample[] = [];
    for (let run = 0; run < (count <= FEW ? RUNS_OF_FEW : 1); run += 1) samples.push(await startOnce(count));
    const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
    const [startMs, bareMs, rssKb, pssKb] = [of('startMs'), of('bareMs'), of('rssKb'), of('pssKb')];
    if (count === 1) rssKbOfOne = rssKb;
    findings.push(
      {
        what: `start of ${count} until all are published, to a bare copy of the tokens`,
        figure: `${startMs.toFixed(0)} ms, bare ${bareMs.toFixed(0)} ms`,
        ratio: startMs / bareMs,
        ratioMax: null,
      },
      {
        what: `memory of ${count}, to that of one plus 10 KB each`,
        figure: `${megabytes(rssKb)} RSS, ${megabytes(pssKb)} PSS`,
        ratio: rssKb / (rssKbOfOne + count * KB_PER_CREDENTIAL_MAX),
        ratioMax: 1,
      },
    );
  }
  return findings;
}

export async function measureIdle(): Promise<readonly Finding[]> {
  const daemon = await startDaemon(await createRestedSite(IDLE_COUNT));
  await pause(REST_MS);
  const before = processorMsOf(daemon.pid);
  await pause(IDLE_MS);
  const usedMs = processorMsOf(daemon.pid) - before;
  await end(daemon);
  return [
    {
      what: `processor while ${IDLE_COUNT} idle for ${IDLE_MS / 1000} s, to 1 % of a core`,
      figure: `${((usedMs / IDLE_MS) * 100).toFixed(2)} %`,
      ratio: usedMs / (IDLE_MS * 0.01),
      ratioMax: 1,
    },
  ];
}

interface Sample {
  readonly startMs: number;
  readonly bareMs: number;
  readonly rssKb: number;
  readonly pssKb: number;
}

async function startOnce(count: number): Promise<Sample> {
  const site = await createRestedSite(count);
  const bareMs = copyTokens(site);
  const began = performance.now();
  const daemon = await startDaemon(site);
  // The daemon is ready after 5 s even if a disk is slower than that.
  while (published(site) < count) await pause(LOOK_MS);
  const startMs = performance.now() - began;
  await pause(REST_MS);
  const memory = memoryOf(daemon.pid);
  await end(daemon);
  return { startMs, bareMs, ...memory };
}

/** Stores that were written a moment ago are looked at twice, and are a start that hardly ever happens. */
async function createRestedSite(count: number): Promise<Site> {
  const site = createSite({ credentials: count });
  await pause(REST_MS);
  return site;
}

function copyTokens({ runtimeDirectory, storesDirectory }: Site): number {
  const began = performance.now();
  const argv = [resolve('bench/bare-start.js'), storesDirectory, join(runtimeDirectory, 'bare-tokens')];
  const { status } = spawnSync(process.execPath, argv, { env: ENVIRONMENT, stdio: 'inherit' });
  if (status !== 0) throw new Error(`bench/bare-start.js ended with ${status}`);
  return performance.now() - began;
}

/** Temps begin with a dot. */
const published = ({ tokensDirectory }: Site): number =>
  readdirSync(tokensDirectory).filter((name) => !name.startsWith('.')).length;

const megabytes = (kb: number): string => `${(kb / 1024).toFixed(1)} MB`;

const COUNTS = [1, 10, 100, 1_000, 10_000];

// Memory of one process varies by megabytes from start to start, which is more than few credentials may cost.
const FEW = 100;
const RUNS_OF_FEW = 3;

const KB_PER_CREDENTIAL_MAX = 10;

// Time stamps of files count as fresh for 3 s, and saves and garbage of a start are over by then.
const REST_MS = 3_500;
const LOOK_MS = 10;

// Two rounds of looks at every store.
const IDLE_MS = 120_000;
const IDLE_COUNT = 1_000;
