/** `npm run bench [-- create|agent|plan …]`: takes the figures, prints them and writes bench/results/*.json. */
import { Command } from 'commander';

import { obtainBuiltRelease } from '../support/built-release.ts';
import { benchAgent } from './agent.ts';
import { benchCreate } from './create.ts';
import { benchPlan } from './plan.ts';
import { formatReport, writeReport } from './report.ts';
import type { Report } from './report.ts';

const program = new Command('npm run bench --')
  .description('Takes figures side by side with their peers; results go to bench/results/.')
  .argument('[names...]', 'plan, create, agent; none: all of them')
  .option('--runs <count>', 'runs of each side of create', (text) => Number(text), 3)
  .option('--nodes <counts>', 'cluster sizes of create, even numbers', '6,60')
  .option('--minutes <count>', 'how long agent samples', (text) => Number(text), 10)
  .parse();

const options = program.opts<{ runs: number; nodes: string; minutes: number }>();
const sizes = options.nodes.split(',').map(Number);

const benches: Record<string, () => Report | Promise<Report>> = {
  plan: benchPlan,
  create: async () => benchCreate({ ...options, sizes, release: await obtainBuiltRelease() }),
  agent: async () => benchAgent({ ...options, release: await obtainBuiltRelease() }),
};

for (const name of program.args.length === 0 ? Object.keys(benches) : program.args) {
  const bench = benches[name];
  if (bench === undefined) {
    process.stderr.write(
      `no bench is called ${name}: there are ${Object.keys(benches).join(', ')}\n`,
    );
    process.exit(64);
  }
  const report = await bench();
  const path = await writeReport('bench/results', report);
  process.stdout.write(`${formatReport(report)}\n  written to ${path}\n\n`);
}
