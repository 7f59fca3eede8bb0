/**
 * `node:os` of the simulated machine.
 */
export const homedir = (): string => '/home/user';
export const hostname = (): string => 'simulated';
