// `npm run check`: everything that can be said about the sources without a Redis. One line for each
// stage; what a stage printed is shown only when it fails, or when it was asked for by name
// (`npm run check -- types lint`).

import { writeFile } from 'node:fs/promises';

import { runTool } from './tools.mjs';

const stages = [
  {
    name: 'generated',
    what: 'generated code is up to date',
    run: ['node', 'scripts/generate.mjs', '--check'],
  },
  { name: 'format', what: 'sources are formatted', run: ['oxfmt', '--check', '.'] },
  {
    name: 'proto-format',
    what: 'contract is formatted',
    run: ['buf', 'format', 'proto', '--diff', '--exit-code'],
  },
  { name: 'proto-lint', what: 'contract follows the rules', run: ['buf', 'lint', 'proto'] },
  { name: 'lint', what: 'no lint errors', run: ['oxlint', '--type-aware', '.'] },
  { name: 'types', what: 'types agree', run: ['tsc', '--project', '.'] },
  {
    name: 'types-core',
    what: 'core needs nothing from Node',
    run: ['tsc', '--project', 'packages/core'],
  },
  {
    name: 'boundaries',
    what: 'packages import only what they may',
    run: ['depcruise', '--config', '.dependency-cruiser.mjs', 'proto/src', 'packages', 'test'],
  },
  { name: 'dead-code', what: 'nothing is unused', run: ['knip', '--no-progress'] },
  {
    name: 'unit',
    what: 'unit tests pass',
    run: ['vitest', 'run', '--project', 'unit', '--passWithNoTests'],
  },
];

// As many as the smallest machine that this is meant for has cores.
const STAGES_AT_ONCE = 2;

/** `npm run check -- types` means every stage of that name or with that prefix. */
function chooseStages(names) {
  if (names.length === 0) return stages;
  const matches = (stage, name) => stage.name === name || stage.name.startsWith(`${name}-`);
  const unknown = names.find((name) => !stages.some((stage) => matches(stage, name)));
  if (unknown !== undefined) {
    const known = stages.map((stage) => stage.name).join(', ');
    process.stderr.write(`no stage is called ${unknown}; there are: ${known}\n`);
    process.exit(64);
  }
  return stages.filter((stage) => names.some((name) => matches(stage, name)));
}

const chosen = chooseStages(process.argv.slice(2));
const askedByName = chosen.length < stages.length;

const indent = (text) => text.trimEnd().replaceAll(/^(?=.)/gm, '    ') + '\n';

async function runStage(stage) {
  const started = performance.now();
  const [command, ...args] = stage.run;
  const { code, output } = await runTool(command, args);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = code === 0 ? 'ok    ' : 'FAILED';
  process.stdout.write(`${verdict} ${stage.name.padEnd(13)} ${stage.what} (${seconds} s)\n`);
  if (code !== 0 || askedByName) process.stdout.write(indent(output));
  return code === 0;
}

const counts = { passed: 0, failed: 0 };
const waiting = [...chosen];
const worker = async () => {
  for (let stage = waiting.shift(); stage !== undefined; stage = waiting.shift()) {
    counts[(await runStage(stage)) ? 'passed' : 'failed'] += 1;
  }
};
await Promise.all(Array.from({ length: STAGES_AT_ONCE }, worker));

// For .ci/run, which adds the stages to the tests.
const reportFile = process.env.REDROVER_CHECK_REPORT;
if (reportFile) await writeFile(reportFile, JSON.stringify(counts));

process.exitCode = counts.failed === 0 ? 0 : 1;
