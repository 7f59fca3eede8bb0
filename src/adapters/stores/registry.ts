/**
 * One factory for all stores: the format chooses.
 */
import type { StorePort } from '../../daemon/ports.ts';
import { createClaudeCodeCodec } from './claude-code.ts';
import { claudeLockPlaces } from './claude-locks.ts';
import { createCodexCodec } from './codex.ts';
import { type CommandStoreOptions, createCommandStore } from './command.ts';
import { createEnvCodec } from './env.ts';
import { createFileStore, type FileStoreOptions } from './file-store.ts';
import { createGeminiCodec } from './gemini.ts';
import { createGoogleAdcCodec } from './google-adc.ts';
import { createGrokCodec } from './grok.ts';
import { createHermesCodec } from './hermes.ts';
import { createJsonCodec, type JsonPointers } from './json.ts';
import { createKeychainStore, type KeychainStoreOptions } from './keychain.ts';
import { createOpenclawCodec } from './openclaw.ts';
import { createOpencodeCodec } from './opencode.ts';
import { createStaticStore } from './static.ts';
import type { LifeOptions } from './store-codec.ts';
import { createTextCodec } from './text.ts';
import { createTokenResponseCodec } from './token-response.ts';
import { createToolLocks, type ToolLocksOptions } from './tool-locks.ts';

type InFile = FileStoreOptions & LifeOptions;
type WithEntry = InFile & { readonly entry: string | null };

/** Plain values: paths absolute, durations in ms, secrets in place. */
export type StoreOptions =
  | (WithEntry & { readonly format: 'token-response' | 'opencode' | 'openclaw' | 'grok' })
  | (InFile & { readonly format: 'hermes'; readonly entry: string })
  | (InFile & { readonly format: 'codex' | 'gemini' | 'google-adc' | 'text' })
  | (InFile & Omit<ToolLocksOptions, 'places'> & { readonly format: 'claude-code' })
  | (KeychainStoreOptions & { readonly format: 'claude-code-keychain' })
  | (InFile & { readonly format: 'json'; readonly pointers: JsonPointers })
  | (InFile & { readonly format: 'env'; readonly variable: string; readonly expiresAtVariable: string | null })
  | (CommandStoreOptions & { readonly format: 'command' })
  /** `value` is the secret itself. */
  | { readonly format: 'static'; readonly value: string };

/** @throws PortError `invalid_pointer` */
export function createStore(options: StoreOptions): StorePort {
  switch (options.format) {
    case 'claude-code': {
      const locks = createToolLocks({ ...options, places: claudeLockPlaces(options.path) });
      return createFileStore(options, createClaudeCodeCodec(options), locks);
    }
    case 'claude-code-keychain':
      return createKeychainStore(options);
    case 'command':
      return createCommandStore(options);
    case 'static':
      return createStaticStore(options);
    default:
      return createFileStore(options, codecOf(options));
  }
}

type PlainFile = Exclude<
  StoreOptions,
  { readonly format: 'claude-code' | 'claude-code-keychain' | 'command' | 'static' }
>;

function codecOf(options: PlainFile) {
  switch (options.format) {
    case 'token-response':
      return createTokenResponseCodec(options);
    case 'codex':
      return createCodexCodec(options);
    case 'gemini':
      return createGeminiCodec(options);
    case 'opencode':
      return createOpencodeCodec(options);
    case 'openclaw':
      return createOpenclawCodec(options);
    case 'hermes':
      return createHermesCodec(options);
    case 'grok':
      return createGrokCodec(options);
    case 'google-adc':
      return createGoogleAdcCodec(options);
    case 'json':
      return createJsonCodec(options);
    case 'env':
      return createEnvCodec(options);
    case 'text':
      return createTextCodec(options);
  }
}
