/**
 * `node:os` of the simulated machine.
 */
export { constants } from 'node:os';

export const homedir = (): string => '/home/user';
export const hostname = (): string => 'simulated';
