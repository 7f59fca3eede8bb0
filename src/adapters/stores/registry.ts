/**
 * One factory for all stores: the format chooses.
 */
import type { StorePort } from '../../daemon/ports.ts';
import { createClaudeCodeCodec } from './claude-code.ts';
import { type CommandStoreOptions, createCommandStore } from './command.ts';
import { createEnvCodec } from './env.ts';
import { createFileStore, type FileStoreOptions } from './file-store.ts';
import { createJsonCodec, type JsonPointers } from './json.ts';
import { createStaticStore } from './static.ts';
import type { LifeOptions } from './store-codec.ts';
import { createTextCodec } from './text.ts';
import { createTokenResponseCodec } from './token-response.ts';

type InFile = FileStoreOptions & LifeOptions;

/** Plain values: paths absolute, durations in ms, secrets in place. */
export type StoreOptions =
  | (InFile & { readonly format: 'token-response'; readonly entry: string | null })
  | (InFile & { readonly format: 'claude-code' })
  | (InFile & { readonly format: 'json'; readonly pointers: JsonPointers })
  | (InFile & { readonly format: 'env'; readonly variable: string; readonly expiresAtVariable: string | null })
  | (InFile & { readonly format: 'text' })
  | (CommandStoreOptions & { readonly format: 'command' })
  /** `value` is the secret itself. */
  | { readonly format: 'static'; readonly value: string };

/** @throws PortError `invalid_pointer` */
export function createStore(options: StoreOptions): StorePort {
  switch (options.format) {
    case 'token-response':
      return createFileStore(options, createTokenResponseCodec(options));
    case 'claude-code':
      return createFileStore(options, createClaudeCodeCodec(options));
    case 'json':
      return createFileStore(options, createJsonCodec(options));
    case 'env':
      return createFileStore(options, createEnvCodec(options));
    case 'text':
      return createFileStore(options, createTextCodec(options));
    case 'command':
      return createCommandStore(options);
    case 'static':
      return createStaticStore(options);
  }
}
