/**
 * What a measurement found, and the table in which all findings are printed.
 *
 * Rule: a figure is of this machine and this minute; what is compared, over machines and over time, is the ratio.
 */

export interface Finding {
  readonly what: string;
  /** With its unit, for people. */
  readonly figure: string;
  /** Against the bare program measured in the same run, or against the allowance; null where there is none. */
  readonly ratio: number | null;
  /** The ratio that is allowed; null: the row is only told. */
  readonly ratioMax: number | null;
}

export const isMet = ({ ratio, ratioMax }: Finding): boolean =>
  ratio === null || ratioMax === null || ratio <= ratioMax;

export function tableOf(findings: readonly Finding[]): string {
  const rows = [['what', 'figure', 'ratio', 'aim', 'met'], ...findings.map(cellsOf)];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].map((text) => text.trimEnd()).join('\n');
}

function cellsOf(finding: Finding): string[] {
  const { what, figure, ratio, ratioMax } = finding;
  const isJudged = ratio !== null && ratioMax !== null;
  return [
    what,
    figure,
    ratio === null ? '' : ratio.toFixed(2),
    ratioMax === null ? '' : `<= ${ratioMax.toFixed(2)}`,
    isJudged ? (isMet(finding) ? 'yes' : 'NO') : '',
  ];
}

/** @param share 0.5 is the median, 0.99 what one read in a hundred exceeds */
export function quantile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: Iterable<number>): number => quantile(values, 0.5);
