/**
 * Runs the measurements and prints one table: `npm run bench -- [--only NAME] [--idle]`.
 *
 * Rule: never fails for a figure that misses its aim, since the machine may be busy; the table says so.
 */
import { parseArgs } from 'node:util';
import { measureClassifier } from './classifier.ts';
import { measureClient } from './client.ts';
import { measureCommandLine } from './command-line.ts';
import { cleanUp } from './daemon.ts';
import { measureDurability } from './durability.ts';
import { measureIdle, measureMany } from './many.ts';
import { measureModel } from './model.ts';
import { measurePush } from './push.ts';
import { measureReads } from './reads.ts';
import { type Finding, isMet, tableOf } from './table.ts';
import { measureWakeUps } from './wake-up.ts';
import { measureYear } from './year.ts';

type Measurement = () => readonly Finding[] | Promise<readonly Finding[]>;

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  reads: measureReads,
  'wake-up': measureWakeUps,
  'command-line': measureCommandLine,
  client: measureClient,
  push: measurePush,
  durability: measureDurability,
  classifier: measureClassifier,
  many: measureMany,
  model: measureModel,
  idle: measureIdle,
  year: measureYear,
};

/** Minutes each: only when asked for. */
const LONG: ReadonlySet<string> = new Set(['idle', 'model', 'year']);

const { values } = parseArgs({ options: { only: { type: 'string' }, idle: { type: 'boolean', default: false } } });
const wanted = Object.entries(MEASUREMENTS).filter(([name]) =>
  values.only === undefined ? !LONG.has(name) || (name === 'idle' && values.idle) : name === values.only,
);
if (wanted.length === 0)
  throw new Error(`--only: expected ${Object.keys(MEASUREMENTS).join(', ')}, got ${values.only}`);

const findings: Finding[] = [];
try {
  for (const [name, measure] of wanted) {
    process.stderr.write(`measuring ${name} ...\n`);
    findings.push(...(await measure()));
  }
} finally {
  await cleanUp();
}
const missed = findings.filter((finding) => !isMet(finding)).length;
process.stdout.write(`${tableOf(findings)}\n\n${missed === 0 ? 'every aim is met' : `${missed} missed`}\n`);
