/**
 * Calls of the system that Node does not have, through koffi to the C library.
 *
 * Rule: koffi is an optional dependency and is loaded here, on demand, by the daemon alone; the commands that people and scripts
 * call all day never pay for it. Where it is missing, or the system is another one, the answer says so and nothing is pretended.
 */
import type { NativeSupport } from '../../daemon/system-ports.ts';
import { createDarwinCalls } from './darwin.ts';
import type { Koffi } from './library.ts';
import { createLinuxCalls } from './linux.ts';

export interface NativeOptions {
  readonly platform: NodeJS.Platform;
  /** Replaced in tests, where koffi is to be missing. */
  readonly importKoffi?: () => Promise<Koffi>;
}

/** Loads the native calls of this platform; never throws. */
export async function loadNative({
  platform,
  importKoffi = () => import('koffi'),
}: NativeOptions): Promise<NativeSupport> {
  const create = CALLS[platform];
  if (create === undefined) return { isAvailable: false, why: `freshd knows no native calls for ${platform}` };
  let koffi: Koffi;
  try {
    koffi = await importKoffi();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it does not load here';
    const why = `the optional package koffi is missing (${code}); install it: npm install koffi`;
    return { isAvailable: false, why };
  }
  try {
    return { isAvailable: true, native: create(koffi) };
  } catch (error) {
    const why = `the C library of this system is another one than freshd knows: ${error instanceof Error ? error.message : 'unknown'}`;
    return { isAvailable: false, why };
  }
}

const CALLS: { readonly [platform in NodeJS.Platform]?: typeof createLinuxCalls } = {
  linux: createLinuxCalls,
  darwin: createDarwinCalls,
};
