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
  const instance = compile(program, 'program');
  return { instantiate: (realm) => evaluate(instance, require, realm) as { start: typeof start } };
}

type Wrapper = (module: object, exports: object, require: (id: string) => unknown, realm: Realm | null) => void;

/** One function for all lives: what the engine has learnt of its inner ones, and compiled, serves the next life too. */
function compile(text: string, name: string): Wrapper {
  const script = new Script(`(function (module, exports, require, realm) {${text}\n})`, {
    filename: `simulated-${name}.cjs`,
  });
  return script.runInThisContext() as Wrapper;
}

function evaluate(run: Wrapper, require: (id: string) => unknown, realm: Realm | null): unknown {
  const module = { exports: {} };
  run(module, module.exports, require, realm);
  return module.exports;
}
