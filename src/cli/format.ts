/**
 * Text for terminals: columns, colour, and the tone of a status.
 *
 * Rule: pure; whether colour is welcome is asked once, by main.ts.
 */
export type Tone = 'good' | 'warning' | 'bad' | 'quiet' | 'plain';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** Aligned columns, two spaces apart; widths are those of the bare text, so colour does not shift them. */
export function table(rows: readonly (readonly Cell[])[], isColourful: boolean): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.text.length);
    });
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => {
        const isLast = column === row.length - 1;
        const padding = isLast ? '' : ' '.repeat((widths[column] ?? 0) - cell.text.length + 2);
        return paint(cell.text, cell.tone ?? 'plain', isColourful) + padding;
      });
      return `${cells.join('')}\n`;
    })
    .join('');
}

export function paint(text: string, tone: Tone, isColourful: boolean): string {
  const code = COLOURS[tone];
  return isColourful && code !== null ? `\u001b[${code}m${text}\u001b[0m` : text;
}

const COLOURS: Readonly<Record<Tone, number | null>> = { good: 32, warning: 33, bad: 31, quiet: 2, plain: null };
