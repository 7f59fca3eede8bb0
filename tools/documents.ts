/**
 * Every generated document with its path in the repository.
 *
 * Rule: reads sources at most; generate-docs.ts writes what is returned here, and a test compares it with what is committed.
 */
import { configReference } from './config-reference.ts';
import { configJsonSchema } from './config-schema.ts';
import { faultDocument } from './fault-document.ts';
import { lifecycleDocument } from './lifecycle-document.ts';
import { manPage } from './man-page.ts';
import { grafanaDashboard, metricsDocument } from './metrics-document.ts';
import { testTitles } from './test-titles.ts';

/** @returns content by path relative to the repository; a new generated document is one more entry */
export function generateAll(): ReadonlyMap<string, string> {
  return new Map([
    ['config.schema.json', configJsonSchema()],
    ['docs/config.md', configReference()],
    ['docs/faults.md', faultDocument(testTitles('test'))],
    ['docs/freshd.1', manPage()],
    ['docs/grafana.json', grafanaDashboard()],
    ['docs/lifecycle.md', lifecycleDocument()],
    ['docs/metrics.md', metricsDocument()],
  ]);
}
