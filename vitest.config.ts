// Three projects: `unit` beside the sources, `integration` against real redis-server processes,
// and `e2e` through the built programs. `npm test -- --project unit` runs one of them.

import { defineConfig } from 'vitest/config';

// Real processes are started, replicated and killed; a slow machine must not look like a defect.
const SLOW_TEST_MS = 120_000;

// Set where a machine reads the result (.ci/run): a JSON file besides the text for people.
const reportFile = process.env['REDROVER_TEST_REPORT'];

// Tests of the agent's host tuning and of process supervision are careful about their own
// environment; colour codes in captured output would only get in their way.
const env = { NO_COLOR: '1' };

export default defineConfig({
  test: {
    reporters: reportFile ? ['default', ['json', { outputFile: reportFile }]] : ['default'],
    // More than two clusters at once outrun a small machine and fail by timing.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{proto,packages/*}/src/**/*.test.ts'],
          env,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          // globalSetup: ['test/support/global-setup.ts'],
          testTimeout: SLOW_TEST_MS,
          hookTimeout: SLOW_TEST_MS,
          env,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // globalSetup: ['test/support/global-setup.ts'],
          testTimeout: SLOW_TEST_MS,
          hookTimeout: SLOW_TEST_MS,
          fileParallelism: false,
          env,
        },
      },
    ],
  },
});
