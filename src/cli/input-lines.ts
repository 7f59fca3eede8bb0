/**
 * Standard input as text: whole, or line by line.
 *
 * Rule: bounded; what is no UTF-8 becomes replacement characters, since it comes from anybody.
 */

/** Everything, up to `charactersMax` and the piece that passed it. */
export async function readText(input: AsyncIterable<Uint8Array>, charactersMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of input) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > charactersMax) return text.slice(0, charactersMax);
  }
  return text + decoder.decode();
}

/** Each line without its end; a longer one is cut to `charactersMax`, an unfinished last one counts. */
export async function* readLines(input: AsyncIterable<Uint8Array>, charactersMax: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let line = '';
  for await (const piece of input) {
    const parts = decoder.decode(piece, { stream: true }).split('\n');
    for (const part of parts.slice(0, -1)) {
      yield cut(line + part, charactersMax);
      line = '';
    }
    line = cut(line + (parts.at(-1) ?? ''), charactersMax);
  }
  line += decoder.decode();
  if (line !== '') yield line;
}

function cut(line: string, charactersMax: number): string {
  return line.length > charactersMax ? line.slice(0, charactersMax) : line;
}
