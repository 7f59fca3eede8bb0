/**
 * Credential files as other programs than freshd read and write them.
 *
 * Rule: what real tools do: some replace the file, some empty it and write it in pieces.
 */
import type { CredentialPlan } from '../scenario.ts';
import type { Owner } from '../scheduler.ts';
import type { AccessToken, RefreshToken } from '../servers/grants.ts';
import type { World } from '../world.ts';

type Members = Readonly<Record<string, unknown>>;

export function membersOf(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Members) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function refreshTokenIn(text: string): string | null {
  const token = membersOf(text)?.refresh_token;
  return typeof token === 'string' && token !== '' ? token : null;
}

export function accessTokenIn(text: string): string | null {
  const token = membersOf(text)?.access_token;
  return typeof token === 'string' && token !== '' ? token : null;
}

/** A file as a login makes it. */
export function loginText(
  world: World,
  grant: { readonly access: AccessToken; readonly refresh: RefreshToken },
): string {
  const { access, refresh } = grant;
  return JSON.stringify({
    access_token: access.text,
    refresh_token: refresh.text,
    token_type: 'Bearer',
    expires_in: Math.floor((access.endsAt - access.givenAt) / 1000),
    obtained_at: Math.floor(world.machine.wallMs() / 1000),
  });
}

/** Puts an answer into the store as a tool does that knows nothing of freshd. */
export function writeAnswer(
  world: World,
  owner: Owner,
  { plan, body, done }: { readonly plan: CredentialPlan; readonly body: string; readonly done: () => void },
): void {
  const { disk, random, machine } = world;
  const before = membersOf(disk.readText(plan.storePath) ?? '') ?? {};
  const obtained = { obtained_at: Math.floor(machine.wallMs() / 1000) };
  const text = JSON.stringify({ ...before, ...membersOf(body), ...obtained });
  if (random.chance(0.7)) {
    disk.writeText(plan.storePath, text);
    done();
    return;
  }
  const writeRest = disk.writeInTwoSteps(plan.storePath, text);
  const delayMs = random.logarithmic(0.1, 300);
  world.scheduler.schedule({
    owner,
    delayMs,
    label: `${owner.name} writes the rest`,
    run: () => {
      writeRest();
      done();
    },
  });
}
