// The last step of .ci/run: adds up what the tests and the checks reported and prints the one line
// that closes the run. Runs under any Node >= 20, since the install may be what has failed.

import { readFileSync } from 'node:fs';

const [testStatus, checkStatus] = process.argv.slice(2).map(Number);

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // No report, or half of one: the program died before it could say anything.
    return undefined;
  }
}

function countTests(report) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
  // A file that cannot even be imported has no test that could fail.
  const brokenFiles = report.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  return { passed: report.numPassedTests, failed, skipped };
}

const tests = countTests(readReport(process.env.REDROVER_TEST_REPORT));
const checks = readReport(process.env.REDROVER_CHECK_REPORT) ?? { passed: 0, failed: 1 };

const passed = tests.passed + checks.passed;
let failed = tests.failed + checks.failed;
// An exit code that no report explains (an unhandled error, a crash after the last test) counts.
if (testStatus !== 0 && tests.failed === 0) failed += 1;
if (checkStatus !== 0 && checks.failed === 0) failed += 1;

const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : '';
process.stdout.write(`${passed} passed, ${failed} failed${skipped}\n`);
process.exitCode = failed === 0 ? 0 : 1;
