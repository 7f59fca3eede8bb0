/**
 * Bundles freshd for a realm: the daemon's own source, with what needs a real machine exchanged.
 *
 * Rule: only the outermost layer is exchanged: Node's modules, the packages that start programs, and the files of ours that
 * speak to the kernel or the network. A mutant changes one text of one file; one that changes nothing is an error.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/** A change of the source that the checkers must notice. */
export interface Mutation {
  /** From the root of the repository. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Texts of CommonJS modules. */
export interface Bundle {
  /** Loaded anew for each life of the daemon; finds its realm in the free variable `realm`. */
  readonly program: string;
  /** Loaded once: what computes and keeps nothing. Exports each of its modules under its path. */
  readonly shared: string;
}

export async function bundleFreshd(root: string, mutation: Mutation | null = null): Promise<Bundle> {
  const mutate = mutating(root, mutation);
  const common = { absWorkingDir: root, plugins: [mutate.plugin] };
  const program = await bundled({
    ...common,
    entryPoints: [resolve(root, HERE, 'program/entry.ts')],
    inject: [resolve(root, HERE, 'program/globals.ts')],
    plugins: [exchanging(root), mutate.plugin],
  });
  const contents = sharedFiles(root)
    .map((file, nth) => `import * as m${nth} from './${file}';\nexports['${SHARED_PREFIX}${file}'] = m${nth};`)
    .join('\n');
  const shared = await bundled({
    ...common,
    stdin: { contents: `const exports = module.exports;\n${contents}`, resolveDir: root },
  });
  if (!mutate.isDone()) throw new Error(`no mutation: ${mutation?.file} does not hold ${mutation?.from}`);
  return { program, shared };
}

async function bundled(options: BuildOptions): Promise<string> {
  const result = await build({
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
    ...options,
  });
  return result.outputFiles?.[0]?.text ?? '';
}

function exchanging(root: string): Plugin {
  const here = resolve(root, HERE);
  return {
    name: 'exchange',
    setup(context) {
      context.onResolve({ filter: /.*/ }, ({ path, importer, resolveDir }) => {
        const isOurs = importer.startsWith(here);
        if (!path.startsWith('.')) {
          const standIn = MODULES[path];
          return standIn === undefined || isOurs ? undefined : { path: resolve(here, standIn), namespace: 'stand-in' };
        }
        const file = relative(root, resolve(resolveDir, path));
        if (SHARED.test(file)) return { path: `${SHARED_PREFIX}${file}`, external: true };
        const exchanged = FILES[file];
        if (exchanged !== undefined && !isOurs) return { path: resolve(here, exchanged) };
        return LEFT_OUT.has(file) ? { path: resolve(root, file), namespace: 'left-out' } : undefined;
      });
      context.onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => ({
        contents: bothWays(path),
        resolveDir: here,
      }));
      context.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({ contents: absent(path) }));
    },
  };
}

function mutating(
  root: string,
  mutation: Mutation | null,
): { readonly plugin: Plugin; readonly isDone: () => boolean } {
  let isDone = mutation === null;
  const plugin: Plugin = {
    name: 'mutate',
    setup(context) {
      context.onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }) => {
        if (mutation === null || path !== resolve(root, mutation.file)) return undefined;
        const text = readFileSync(path, 'utf8');
        isDone ||= text.includes(mutation.from);
        return { contents: text.replace(mutation.from, () => mutation.to), loader: 'ts', resolveDir: dirname(path) };
      });
    },
  };
  return { plugin, isDone: () => isDone };
}

function sharedFiles(root: string): readonly string[] {
  return ['src/core', 'src/config'].flatMap((room) =>
    readdirSync(resolve(root, room))
      .map((name) => join(room, name))
      .filter((file) => SHARED.test(file))
      .sort(),
  );
}

/** Node's modules can be imported by name and as a whole. */
function bothWays(path: string): string {
  const place = JSON.stringify(path);
  return `export * from ${place};\nimport * as whole from ${place};\nexport default whole;`;
}

/** The same names, and none of them does anything. */
function absent(path: string): string {
  const names = [...readFileSync(path, 'utf8').matchAll(/^export (?:async )?function (\w+)/gm)].map(([, name]) => name);
  return names
    .map((name) => `export function ${name}() { throw new Error('${name} is not part of the simulation'); }`)
    .join('\n');
}

const HERE = 'test/simulation';

const SHARED_PREFIX = 'shared:';

// The pure core, and the schema, which takes longer to build than a daemon to start.
const SHARED = /^src\/(?:core\/|config\/(?:parse|schema)).*\.ts$/;

const MODULES: Readonly<Record<string, string>> = {
  fs: 'fs.ts',
  'graceful-fs': 'fs.ts',
  'node:fs': 'fs.ts',
  'node:fs/promises': 'fs-promises.ts',
  'node:timers/promises': 'program/timers-promises.ts',
  'node:crypto': 'program/crypto.ts',
  'node:os': 'program/os.ts',
  croner: 'program/croner.ts',
  execa: 'program/execa.ts',
};

const FILES: Readonly<Record<string, string>> = {
  'src/adapters/oauth/exchange.ts': 'program/exchange.ts',
  'src/adapters/kernel-lock-kinds.ts': 'program/kernel-lock-kinds.ts',
  'src/adapters/refresh/process-table.ts': 'program/process-table.ts',
};

/** What no configuration of the simulation asks for. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'src/adapters/alert/command.ts',
  'src/adapters/alert/desktop.ts',
  'src/adapters/alert/slack.ts',
  'src/adapters/alert/webhook.ts',
  'src/adapters/publish/hook.ts',
  'src/adapters/stores/command.ts',
  'src/adapters/stores/keychain.ts',
]);
