// Four projects: `unit` beside the sources, `integration` against real redis-server processes,
// `e2e` through the built programs, and `lab` on hosts that are crashed and cut off. They run one after another, so that only tests of one kind
// share the machine. `npm test -- --project unit` runs one of them.

import { defineConfig } from 'vitest/config';

// Real processes are started, replicated and killed; a slow machine must not look like a defect.
const SLOW_TEST_MS = 120_000;

// Set where a machine reads the result (.ci/run): a JSON file besides the text for people.
const reportFile = process.env['REDROVER_TEST_REPORT'];

// Tests compare what programs print; a runner that forces colours must not change that.
const env = { NO_COLOR: '1' };

export default defineConfig({
  test: {
    reporters: reportFile ? ['default', ['json', { outputFile: reportFile }]] : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['{proto,packages/*}/src/**/*.test.ts'],
          setupFiles: ['test/support/property-seed.ts'],
          env,
        },
      },
      {
        test: {
          name: 'integration',
          sequence: { groupOrder: 1 },
          // More than two clusters at once outrun a small machine and fail by timing.
          maxWorkers: 2,
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: SLOW_TEST_MS,
          hookTimeout: SLOW_TEST_MS,
          env,
        },
      },
      {
        test: {
          name: 'e2e',
          sequence: { groupOrder: 2 },
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: SLOW_TEST_MS,
          hookTimeout: SLOW_TEST_MS,
          fileParallelism: false,
          env,
        },
      },
      {
        test: {
          name: 'lab',
          sequence: { groupOrder: 3 },
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts', 'test/lab/global-setup.ts'],
          testTimeout: SLOW_TEST_MS,
          hookTimeout: SLOW_TEST_MS,
          fileParallelism: false,
          env,
        },
      },
    ],
  },
});
