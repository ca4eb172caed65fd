import { RedroverError } from '@redrover/core';
import { expect, test } from 'vitest';

import { createStyle } from '../output/style.ts';
import { reportError } from './report-error.ts';
import { UsageError } from './usage-error.ts';

const style = createStyle({ isTerminal: false, noColor: true, env: {} });

function report(thrown: unknown, env: NodeJS.ProcessEnv = {}) {
  return reportError({ thrown, style, env });
}

const context = { address: '127.0.0.1:7400', method: '/redrover.api.v1.HostService/ListHosts' };

test('nobody at the address is exit code 3, what a controller says of itself is 1', () => {
  expect(report(new RedroverError('unavailable', 'x', { context })).exitCode).toBe(3);
  expect(report(new RedroverError('deadline-exceeded', 'x', { context })).exitCode).toBe(3);
  expect(report(new RedroverError('unavailable', 'host h1 is lost')).exitCode).toBe(1);
  expect(report(new RedroverError('not-found', 'x', { context })).exitCode).toBe(1);
});

test('wrong usage is exit code 64', () => {
  expect(report(new UsageError('no such thing'))).toEqual({
    text: 'error: no such thing',
    exitCode: 64,
  });
});

test("a compiler's last lines are shown below the message", () => {
  const error = new RedroverError('build-failed', 'make failed', {
    context: { output: 'a.c:1: error: x\nmake: *** [a.o] Error 1\n' },
  });
  expect(report(error).text).toBe(
    'error: make failed\n  | a.c:1: error: x\n  | make: *** [a.o] Error 1',
  );
});

test('a defect shows a stack only when that is asked for', () => {
  const defect = new TypeError('x is undefined');
  expect(report(defect).text).toContain('REDROVER_DEBUG=1');
  expect(report(defect).text).not.toMatch(/^\s+at /m);
  expect(report(defect, { REDROVER_DEBUG: '1' }).text).toMatch(/^\s+at /m);
});
