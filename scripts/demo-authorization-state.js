/**
 * What the demo authorization server remembers: families of tokens, and the faults that were ordered. In memory only.
 */
import { randomBytes } from 'node:crypto';

/** Families of tokens: each begins with a seed, and lives until one of its old refresh tokens is sent again. */
export function createGrants({ lifeSeconds, reuseGraceSeconds, rotates, now }) {
  const families = [];
  const byRefreshToken = new Map();
  const accessTokens = new Map();

  function issue(family) {
    forgetExpired();
    const accessToken = `at_${randomBytes(24).toString('base64url')}`;
    accessTokens.set(accessToken, { family, expiresAt: now() + lifeSeconds * 1000 });
    return { access_token: accessToken, token_type: 'Bearer', expires_in: lifeSeconds, refresh_token: family.current };
  }

  function rotate(family) {
    family.predecessor = family.current;
    family.rotatedAt = now();
    family.current = `rt_${randomBytes(32).toString('base64url')}`;
    family.rotations += 1;
    byRefreshToken.set(family.current, family);
  }

  function forgetExpired() {
    for (const [token, { expiresAt }] of accessTokens) if (expiresAt <= now()) accessTokens.delete(token);
  }

  return {
    seed() {
      const family = { current: null, predecessor: null, rotatedAt: 0, rotations: -1, revoked: false };
      families.push(family);
      rotate(family);
      return issue(family);
    },
    /** @returns a token response, or null for invalid_grant */
    refresh(refreshToken) {
      const family = byRefreshToken.get(refreshToken);
      if (family === undefined || family.revoked) return null;
      if (refreshToken === family.current) {
        if (rotates) rotate(family);
        const response = issue(family);
        // RFC 6749 §6: a server that does not rotate need not repeat what the client has.
        if (!rotates) delete response.refresh_token;
        return response;
      }
      const isLastUsed = refreshToken === family.predecessor;
      if (isLastUsed && now() - family.rotatedAt < reuseGraceSeconds * 1000) return issue(family);
      family.revoked = true;
      return null;
    },
    isGood(accessToken) {
      const found = accessTokens.get(accessToken);
      return found !== undefined && !found.family.revoked && found.expiresAt > now();
    },
    revokeFamilies() {
      for (const family of families) family.revoked = true;
    },
    revokeAccessTokens() {
      accessTokens.clear();
    },
    describe() {
      forgetExpired();
      return {
        families: families.map(({ revoked, rotations }) => ({ revoked, rotations })),
        goodAccessTokens: [...accessTokens.values()].filter(({ family }) => !family.revoked).length,
      };
    },
  };
}

/** What goes wrong on demand. */
export function createFaults() {
  let delay = { milliseconds: 0, when: 'before_commit' };
  let failures = [];
  let drops = 0;
  const waiting = new Set();

  return {
    setDelay({ milliseconds, when = 'before_commit' }) {
      delay = {
        milliseconds: count(milliseconds, 'milliseconds'),
        when: oneOf(when, ['before_commit', 'after_commit']),
      };
    },
    failNext({ status, body = '', headers = {}, times = 1, when = 'before_commit' }) {
      const isText = typeof body === 'string';
      const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
      const failure = {
        status: count(status, 'status'),
        when: oneOf(when, ['before_commit', 'after_commit']),
        body: isText ? body : JSON.stringify(body),
        headers: { 'content-type': type, ...headers },
      };
      failures.push(...Array.from({ length: count(times, 'times') }, () => failure));
    },
    dropNext(times = 1) {
      drops = count(times, 'times');
    },
    takeFailure: () => failures.shift() ?? null,
    takeDrop() {
      if (drops === 0) return false;
      drops -= 1;
      return true;
    },
    async wait(when) {
      if (delay.milliseconds === 0 || delay.when !== when) return;
      await new Promise((resolve) => {
        const entry = { resolve, timer: undefined };
        const end = () => {
          clearTimeout(entry.timer);
          waiting.delete(entry);
          resolve();
        };
        entry.resolve = end;
        entry.timer = setTimeout(end, delay.milliseconds);
        waiting.add(entry);
      });
    },
    endWaiting() {
      failures = [];
      for (const entry of [...waiting]) entry.resolve();
    },
    describe: () => ({ waiting: waiting.size, pendingFailures: failures.length, pendingDrops: drops }),
  };
}

export function count(value, name) {
  if (Number.isInteger(value) && value >= 0 && value <= 1_000_000) return value;
  throw badRequest(`${name}: expected a whole number from 0 to 1000000`);
}

function oneOf(value, choices) {
  if (choices.includes(value)) return value;
  throw badRequest(`expected one of ${choices.join(', ')}`);
}

export function badRequest(message) {
  return Object.assign(new Error(message), { status: 400, code: 'invalid_request' });
}
