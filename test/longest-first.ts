/**
 * The order of test files: those that take minutes begin first, so that none of them is left alone at the end, with every
 * other worker idle.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

/** A minute and more each, the longest first. */
const LONGEST: readonly string[] = [
  'core/lifecycle.model.test.ts',
  'system/kill.test.ts',
  'system/deb.test.ts',
  'system/service.test.ts',
  'system/daemon.test.ts',
  'system/client.test.ts',
];
