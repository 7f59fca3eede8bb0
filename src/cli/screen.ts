/**
 * Where a text that changes is shown: in place on a terminal, one text after the other anywhere else.
 *
 * Rule: a terminal is left as it was found, with the last text on it; the person's own lines above are not touched.
 */
import type { CommandIo } from './command.ts';

export interface Screen {
  /** Whether what was shown is overwritten, so that it may be brought up to date as often as one likes. */
  readonly isInPlace: boolean;
  /** Nothing happens for the text that is shown already. */
  show(text: string): void;
  /** Says what is wrong at the moment, beside the last text, until there is another one. */
  complain(line: string): void;
  /** The last text stays. */
  close(): void;
}

/** @param separator between two texts, where they follow one another */
export function createScroll({ write, complain }: CommandIo, separator: string): Screen {
  let shown: string | null = null;
  return {
    isInPlace: false,
    show(text) {
      if (text === shown) return;
      write(`${shown === null ? '' : separator}${text}`);
      shown = text;
    },
    complain,
    close: () => undefined,
  };
}

/** @param rows those of the terminal, as they are now */
export function createPage({ write }: CommandIo, rows: () => number): Screen {
  let shown: string | null = null;
  let last = '';

  function draw(text: string): void {
    // Another size of the window is another page.
    const page = fitted(text, rows());
    if (page === shown) return;
    // Line by line over the old page, since an empty screen in between would flicker.
    write(`${shown === null ? OPEN : ''}${HOME}${page.replaceAll('\n', `${REST_OF_LINE}\n`)}${REST_OF_SCREEN}`);
    shown = page;
  }

  return {
    isInPlace: true,
    show(text) {
      last = text;
      draw(text);
    },
    complain: (line) => draw(`${line}\n\n${last}`),
    close() {
      if (shown !== null) write(`${CLOSE}${last}`);
    },
  };
}

/** Lines beyond the last row would scroll the first ones away; the cursor stands in one of its own. */
function fitted(text: string, rows: number): string {
  const lines = text.trimEnd().split('\n');
  // A terminal that does not know its size says 0.
  const room = rows > 0 ? Math.max(2, rows - 1) : lines.length;
  if (lines.length <= room) return `${lines.join('\n')}\n`;
  return `${lines.slice(0, room - 1).join('\n')}\n… ${lines.length - room + 1} more lines; enlarge the window\n`;
}

// The screen that editors use, with long lines cut off at its edge: the one before comes back when it is closed.
const OPEN = '\u001b[?1049h\u001b[?7l';
const CLOSE = '\u001b[?7h\u001b[?1049l';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';
