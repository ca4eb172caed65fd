// Bundles the programs into dist/. A file is only replaced when its content has changed, and then
// by a rename, so a build never pulls a bundle away under a program that is reading it.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

import { build } from 'esbuild';

import { repositoryRoot } from './node24.mjs';

// Bundled CommonJS dependencies call require() for Node's builtins.
const requireBanner =
  "import { createRequire as redroverCreateRequire } from 'node:module';\n" +
  'const require = redroverCreateRequire(import.meta.url);';

/**
 * NestJS loads its optional parts at run time, so the controller's dependencies stay outside its
 * bundle. A package that npm could not hoist is bundled nevertheless: seen from dist/, its name
 * would resolve to the other version at the root.
 */
const installedPackagesStayOutside = {
  name: 'installed-packages-stay-outside',
  setup(context) {
    const hoisted = join(repositoryRoot, 'node_modules') + '/';
    context.onResolve({ filter: /^[^./]/ }, async (args) => {
      if (args.pluginData === 'resolving' || args.kind === 'entry-point') return undefined;
      if (args.path.startsWith('@redrover/') || args.path.startsWith('node:')) return undefined;
      const { kind, importer, resolveDir } = args;
      const pluginData = 'resolving';
      const found = await context.resolve(args.path, { kind, importer, resolveDir, pluginData });
      if (found.path.startsWith(hoisted)) return { path: args.path, external: true };
      return undefined;
    });
  },
};

const bundles = [
  { entry: 'packages/agent/src/main.ts', output: 'redrover-agent.mjs' },
  { entry: 'packages/agent/src/migrate/mover/main.ts', output: 'redrover-mover.mjs' },
  {
    entry: 'packages/controller/src/main.ts',
    output: 'redrover-controller.mjs',
    plugins: [installedPackagesStayOutside],
  },
  { entry: 'packages/cli/src/main.ts', output: 'redrover.mjs' },
  { entry: 'packages/cli/src/playground/main.ts', output: 'redrover-playground.mjs' },
];

async function bundle({ entry, output, plugins = [] }) {
  const result = await build({
    absWorkingDir: repositoryRoot,
    entryPoints: [entry],
    outfile: join('dist', output),
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    sourcemap: 'linked',
    sourcesContent: false,
    keepNames: true,
    // Node keeps a program's text in memory, at two bytes a character if a single one is not Latin-1: without comments
    // an agent is 7 MB smaller. Lines stay short, so that a stack still says where.
    minifyWhitespace: true,
    lineLimit: 160,
    banner: { js: requireBanner },
    logLevel: 'warning',
    plugins,
  });
  // The map before the code that refers to it.
  for (const file of result.outputFiles.toReversed()) await replaceIfChanged(file);
}

async function replaceIfChanged({ path, contents }) {
  const present = await readFile(path).catch((error) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (present?.equals(contents)) return;
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, contents);
  await rename(temporary, path);
  process.stderr.write(`built ${relative(repositoryRoot, path)}\n`);
}

/** Builds every bundle; rejects, after esbuild has printed why, when one cannot be built. */
export async function buildAll() {
  await mkdir(join(repositoryRoot, 'dist'), { recursive: true });
  await Promise.all(bundles.map(bundle));
}

if (import.meta.main) {
  await buildAll().catch((error) => {
    // esbuild has printed its own errors already; anything else is worth its stack.
    if (error.errors === undefined) console.error(error);
    process.exitCode = 1;
  });
}
