/**
 * Which proxy a host is reached through, by the variables that other programs understand too.
 *
 * Rule: pure. Lower case wins over upper case, as in curl; loopback is never proxied; a proxy's address may hold a password
 * and is never shown.
 */
import { isLoopback } from '../loopback.ts';
import { NoAnswer } from './no-answer.ts';

export interface ProxyServer {
  readonly host: string;
  readonly port: number;
  /** The connection to the proxy itself is encrypted. */
  readonly isSecure: boolean;
  /** Value of `Proxy-Authorization`; a secret. Null: none. */
  readonly authorization: string | null;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @returns null: directly
 * @throws NoAnswer `proxy_unsupported` (nothing was sent) for what is no http or https address
 */
export function proxyFor(target: URL, environment: Environment): ProxyServer | null {
  const variable = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].find((name) => isSet(environment[name]));
  const address = variable === undefined ? '' : (environment[variable] ?? '').trim();
  if (variable === undefined || isHere(target) || isExempt(target, environment)) return null;
  // `proxy:3128` alone is how curl's manual writes it.
  const text = address.includes('://') ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    const seen = url === null ? 'no address' : `a ${url.protocol}// address`;
    throw new NoAnswer(`${variable}: expected an http:// or https:// address, got ${seen}; correct or unset it`, {
      code: 'proxy_unsupported',
      isSent: false,
    });
  }
  const isSecure = url.protocol === 'https:';
  return {
    host: bareHost(url.hostname),
    port: portOf(url),
    isSecure,
    authorization: basicAuthorization(url),
  };
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** Without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Also names below `localhost`: most resolvers keep them on this machine, and no proxy knows them. */
function isHere(target: URL): boolean {
  return isLoopback(target) || target.hostname.endsWith('.localhost');
}

/** `no_proxy`: names that cover their subdomains, with or without a leading dot or a port; `*` is everything. */
function isExempt(target: URL, environment: Environment): boolean {
  const list = environment.no_proxy ?? environment.NO_PROXY ?? '';
  const host = bareHost(target.hostname).toLowerCase();
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', port] = /^(\[[^\]]*\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (port !== undefined && Number(port) !== portOf(target)) return false;
      const suffix = bareHost(name).replace(/^\*?\./, '');
      return suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`));
    });
}

function basicAuthorization(url: URL): string | null {
  if (url.username === '' && url.password === '') return null;
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

/** A stray `%` in a password is that character. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

const isSet = (value: string | undefined): boolean => value !== undefined && value.trim() !== '';
