/**
 * Makes programs of bundled text.
 *
 * Rule: compiled once and instantiated once per life, so that a life begins with no memory of the one before.
 */
import { createRequire } from 'node:module';
import { Script } from 'node:vm';
import type { Bundle } from './bundle.ts';
import type { start } from './program/entry.ts';
import type { Realm } from './realm.ts';

export interface LoadedBundle {
  instantiate(realm: Realm): { readonly start: typeof start };
}

export function loadBundle({ program, shared }: Bundle): LoadedBundle {
  const real = createRequire(import.meta.url);
  const modules = evaluate(compile(shared, 'shared'), real, null) as Readonly<Record<string, unknown>>;
  const require = (id: string): unknown => modules[id] ?? real(id);
  const script = compile(program, 'program');
  return { instantiate: (realm) => evaluate(script, require, realm) as { start: typeof start } };
}

function compile(text: string, name: string): Script {
  return new Script(`(function (module, exports, require, realm) {${text}\n})`, { filename: `simulated-${name}.cjs` });
}

function evaluate(script: Script, require: (id: string) => unknown, realm: Realm | null): unknown {
  const module = { exports: {} };
  script.runInThisContext()(module, module.exports, require, realm);
  return module.exports;
}
