/** Durations in words, for people. */

/** The two largest units, where the second is not 0: `41 min`, `30 min 22 s`, `7 h 12 min`, `3 d 4 h`; the sign is not shown. */
export function durationText(ms: number): string {
  const totalSeconds = Math.round(Math.abs(ms) / 1000);
  const parts = UNITS.map(({ name, seconds }, index) => {
    const larger = UNITS[index - 1]?.seconds ?? Number.POSITIVE_INFINITY;
    return { name, amount: Math.floor((totalSeconds % larger) / seconds) };
  });
  const first = parts.findIndex((part) => part.amount > 0);
  if (first === -1) return '0 s';
  const shown = parts.slice(first, first + 2).filter((part) => part.amount > 0);
  return shown.map((part) => `${part.amount} ${part.name}`).join(' ');
}

const UNITS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;
