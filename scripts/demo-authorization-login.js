/**
 * How a grant begins at the demo authorization server: clients and how they show who they are, codes for a browser (PKCE),
 * codes for a device. In memory only; whoever asks is let in, because nobody's data is behind it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Who may ask.
 * @param clients by id: `secret` and how it is sent (`basic`, `post`, `none`); null: nobody has to say who they are
 */
export function createClients(clients) {
  return {
    /** @returns the id of the client, or null for invalid_client */
    authenticate(headers, form) {
      if (clients === null) return form.get('client_id') ?? '';
      const basic = basicCredentials(headers.authorization);
      const id = basic?.id ?? form.get('client_id') ?? '';
      const client = Object.hasOwn(clients, id) ? clients[id] : undefined;
      if (client === undefined) return null;
      const sent = { basic: basic?.secret, post: form.get('client_secret') ?? undefined };
      if (client.authentication === 'none') return sent.basic === undefined && sent.post === undefined ? id : null;
      const other = client.authentication === 'basic' ? sent.post : sent.basic;
      return other === undefined && isSame(sent[client.authentication], client.secret) ? id : null;
    },
  };
}

/** RFC 6749 §2.3.1: both parts are form-encoded first. */
function basicCredentials(header) {
  const encoded = /^basic ([a-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return null;
  const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return { id: formDecoded(id), secret: formDecoded(secret) };
}

const formDecoded = (text) => decodeURIComponent(text.replaceAll('+', ' '));

function isSame(sent, expected) {
  if (typeof sent !== 'string') return false;
  const [a, b] = [sent, expected].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a, b);
}

/** Codes that were given to browsers and can be turned into tokens, each once. */
export function createBrowserCodes({ now }) {
  const codes = new Map();

  return {
    /** RFC 6749 §4.1.1, RFC 7636 §4.3. @returns where the browser is sent, or null when that is not known */
    authorize(parameters) {
      const redirectUri = parameters.get('redirect_uri');
      if (redirectUri === null || !URL.canParse(redirectUri)) return null;
      const back = new URL(redirectUri);
      const state = parameters.get('state');
      if (state !== null) back.searchParams.set('state', state);
      const isSound = parameters.get('response_type') === 'code' && parameters.get('code_challenge_method') === 'S256';
      if (!isSound) {
        back.searchParams.set('error', 'invalid_request');
        return back.href;
      }
      const code = randomBytes(24).toString('base64url');
      codes.set(code, {
        redirectUri,
        clientId: parameters.get('client_id') ?? '',
        challenge: parameters.get('code_challenge'),
        expiresAt: now() + CODE_LIFE_MS,
      });
      back.searchParams.set('code', code);
      return back.href;
    },
    /** RFC 6749 §4.1.3, RFC 7636 §4.6. @returns null, or an error code */
    redeem(form, clientId) {
      const found = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      if (found === undefined || found.expiresAt <= now()) return 'invalid_grant';
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      const isOurs = found.challenge === challenge && found.redirectUri === form.get('redirect_uri');
      return isOurs && found.clientId === clientId ? null : 'invalid_grant';
    },
  };
}

/** The same for devices. */
export function createDeviceCodes({ now, intervalSeconds }) {
  const devices = new Map();

  return {
    /** RFC 8628 §3.2. */
    begin(url, { lifeSeconds }) {
      const deviceCode = randomBytes(24).toString('base64url');
      const userCode = randomBytes(4).toString('hex').toUpperCase();
      devices.set(deviceCode, { userCode, answer: null, lastAskedAt: null, expiresAt: now() + lifeSeconds * 1000 });
      return {
        device_code: deviceCode,
        user_code: userCode,
        verification_uri: `${url}/device`,
        verification_uri_complete: `${url}/device?user_code=${userCode}`,
        expires_in: lifeSeconds,
        interval: intervalSeconds,
      };
    },
    /** What the person says. @returns whether there is such a code */
    decide(userCode, isApproved) {
      const found = [...devices.values()].find((device) => device.userCode === userCode);
      if (found === undefined) return false;
      found.answer = isApproved ? 'approved' : 'denied';
      return true;
    },
    /** RFC 8628 §3.5. @returns null, or an error code */
    redeem(form) {
      const deviceCode = form.get('device_code') ?? '';
      const found = devices.get(deviceCode);
      if (found === undefined) return 'invalid_grant';
      if (found.expiresAt <= now()) return 'expired_token';
      const isHasty = found.lastAskedAt !== null && now() - found.lastAskedAt < intervalSeconds * 1000;
      found.lastAskedAt = now();
      if (found.answer === 'denied') return 'access_denied';
      if (found.answer === null) return isHasty ? 'slow_down' : 'authorization_pending';
      devices.delete(deviceCode);
      return null;
    },
    userCodes: () => [...devices.values()].map(({ userCode }) => userCode),
  };
}

// RFC 6749 §4.1.2 recommends at most ten minutes.
const CODE_LIFE_MS = 600_000;
