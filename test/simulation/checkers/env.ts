/**
 * Reads the variables that freshd publishes, as text.
 */
export function valueIn(env: string, variable: string): string | null {
  return new RegExp(`^${variable}=(.*)$`, 'm').exec(env)?.[1] ?? null;
}
