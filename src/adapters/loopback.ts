/**
 * Addresses that never leave this machine: the only ones to which a secret may go unencrypted.
 *
 * Rule: by the name in the URL alone; nothing is looked up, for what a name means can change after the check. The
 * configuration judges by the same rule, in a room that cannot import this one.
 */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
