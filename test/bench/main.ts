/** `npm run bench [-- create|agent|plan|failure|reshard …]`: takes the figures, prints them and writes bench/results/*.json. */
import { Command } from 'commander';

import { obtainBuiltRelease, obtainBuiltReleases } from '../support/built-release.ts';
import { benchAgent } from './agent.ts';
import { benchCreate } from './create.ts';
import { benchFailure } from './failure.ts';
import { installMissingPackages } from '../lab/packages.ts';
import { benchPlan } from './plan.ts';
import { benchReshard } from './reshard.ts';
import { formatReport, writeReport } from './report.ts';
import type { Report } from './report.ts';

const program = new Command('npm run bench --')
  .description('Takes figures side by side with their peers; results go to bench/results/.')
  .argument('[names...]', 'plan, create, agent, failure, reshard; none: all of them')
  .option(
    '--runs <count>',
    'runs of each side of create and reshard (default 3), or failure (default 10)',
    Number,
  )
  .option('--nodes <counts>', 'cluster sizes of create, even numbers', '6,60')
  .option('--minutes <count>', 'how long agent samples', (text) => Number(text), 10)
  .option('--node-timeout <ms>', 'cluster-node-timeout in failure', Number, 5_000)
  .option('--keys <count>', 'keys of 100 bytes in reshard', Number, 1_000_000)
  .option('--replicas <count>', 'of each shard in reshard', Number, 1)
  .option(
    '--engines <names>',
    'in reshard: migrate, valkey-atomic, redis-atomic; none: all of them',
  )
  .parse();

const options = program.opts<{
  runs?: number;
  nodes: string;
  minutes: number;
  nodeTimeout: number;
  keys: number;
  replicas: number;
  engines?: string;
}>();
const sizes = options.nodes.split(',').map(Number);

const benches: Record<string, () => Report | Promise<Report>> = {
  plan: benchPlan,
  create: async () =>
    benchCreate({ runs: options.runs ?? 3, sizes, release: await obtainBuiltRelease() }),
  failure: async () => {
    await obtainBuiltRelease();
    await installMissingPackages();
    const { runs = 10, nodeTimeout: nodeTimeoutMs } = options;
    return benchFailure({ runs, nodeTimeoutMs });
  },
  reshard: async () =>
    benchReshard({
      releases: await obtainBuiltReleases(),
      runs: options.runs ?? 3,
      keys: options.keys,
      replicas: options.replicas,
      engines: options.engines?.split(',') ?? [],
    }),
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
