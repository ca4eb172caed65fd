// The dependency rule of the packages, enforced by `npm run check boundaries`:
// `proto` and `core` import nothing from the repository, `wire` imports both, and the three
// programs import these three, never one another.

const programs = ['agent', 'controller', 'cli'];

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means that two modules are one; a type-only import counts too.',
      severity: 'error',
      from: { pathNot: '^proto/gen/' },
      to: { circular: true },
    },
    {
      name: 'core-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^packages/core/' },
      to: { path: '^(proto|packages|test)/', pathNot: '^packages/core/' },
    },
    {
      name: 'core-is-pure',
      comment: 'No I/O in the domain. Tests may use their tools.',
      severity: 'error',
      from: { path: '^packages/core/src/', pathNot: '\\.test\\.ts$|/testing/' },
      to: { dependencyTypes: ['core', 'npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'proto-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: '^(packages|test)/' },
    },
    {
      name: 'wire-imports-core-and-proto',
      severity: 'error',
      from: { path: '^packages/wire/' },
      to: { path: '^(packages|test)/', pathNot: '^packages/(core|wire)/' },
    },
    ...programs.map((program) => ({
      name: `${program}-imports-no-other-program`,
      severity: 'error',
      from: { path: `^packages/${program}/` },
      to: { path: '^(packages|test)/', pathNot: `^packages/(core|wire|${program})/` },
    })),
    {
      name: 'nest-stays-in-controller',
      severity: 'error',
      from: { pathNot: '^packages/controller/' },
      to: { path: '^node_modules/@nestjs/' },
    },
    {
      name: 'one-door-per-package',
      comment: "Another package's modules are reached through its index.ts.",
      severity: 'error',
      from: { path: '^(?:packages/)?([^/]+)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: '^packages/(?:$1/|[^/]+/src/index\\.ts$)' },
    },
    {
      name: 'sources-do-not-import-tests',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.d.ts'],
    },
  },
};
