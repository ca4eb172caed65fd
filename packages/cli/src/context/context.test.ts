import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  configPath,
  readConfig,
  withContext,
  withCurrent,
  withoutContext,
  updateConfig,
} from './config-file.ts';
import { checkAddress, resolveTarget } from './resolve-target.ts';

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'redrover-context-'));
  env = { REDROVER_CONFIG: join(directory, 'deep', 'config.yaml') };
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const none = { context: undefined, controller: undefined, tokenFile: undefined };

async function save(controller: string, tokenFile?: string): Promise<void> {
  await updateConfig(configPath(env), (config) =>
    withCurrent(withContext(config, 'lab', { controller, tokenFile }), 'lab'),
  );
}

test('the file is found by REDROVER_CONFIG, XDG_CONFIG_HOME, then HOME', () => {
  expect(configPath({ REDROVER_CONFIG: '/a.yaml', XDG_CONFIG_HOME: '/x' })).toBe('/a.yaml');
  expect(configPath({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).toBe('/x/redrover/config.yaml');
  expect(configPath({ HOME: '/h' })).toBe('/h/.config/redrover/config.yaml');
});

test('what is written is read back, and nobody else can read it', async () => {
  await save('10.0.0.1:7400', '/token');
  expect(readConfig(configPath(env))).toEqual({
    current: 'lab',
    contexts: { lab: { controller: '10.0.0.1:7400', tokenFile: '/token' } },
  });
  expect(statSync(configPath(env)).mode & 0o777).toBe(0o600);
});

test('commands at once lose nothing of each other', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `lab-${index}`);
  await Promise.all(
    names.map((name) =>
      updateConfig(configPath(env), (config) =>
        withContext(config, name, { controller: 'a:1', tokenFile: undefined }),
      ),
    ),
  );
  expect(Object.keys(readConfig(configPath(env)).contexts).sort()).toEqual(names);
});

test('forgetting the current context leaves no current one', async () => {
  await save('10.0.0.1:7400');
  expect(withoutContext(readConfig(configPath(env)), 'lab')).toEqual({
    current: undefined,
    contexts: {},
  });
});

test('flags come before the environment, the environment before the file', async () => {
  await save('file:1');
  const withEnv = { ...env, REDROVER_CONTROLLER: 'env:2' };
  expect(resolveTarget(none, env).address).toBe('file:1');
  expect(resolveTarget(none, withEnv).address).toBe('env:2');
  expect(resolveTarget({ ...none, controller: 'flag:3' }, withEnv).address).toBe('flag:3');
});

test('without anything the controller is expected on this machine', () => {
  expect(resolveTarget(none, env)).toEqual({ address: '127.0.0.1:7400', token: undefined });
});

test('a token is read without the line end of its file', async () => {
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'abc\n');
  await save('file:1', tokenFile);
  expect(resolveTarget(none, env).token).toBe('abc');
});

test('a token file that is not there is named', () => {
  expect(() => resolveTarget({ ...none, tokenFile: '/nowhere/token' }, env)).toThrow(
    /cannot read the token file \/nowhere\/token \(ENOENT\)/,
  );
});

test('a context that does not exist is an error that names those that do', async () => {
  await save('file:1');
  expect(() => resolveTarget({ ...none, context: 'prod' }, env)).toThrow(
    /no context "prod".*known: lab/,
  );
});

test.each(['10.0.0.1', 'host:', 'host:0', 'host:70000'])('%s is no address', (address) => {
  expect(() => checkAddress(address)).toThrow(/HOST:PORT/);
});

test.each(['- a\n- b\n', 'contexts: {lab: 3}\n', 'a: [b\n'])(
  'a file that is no configuration is refused: %j',
  (text) => {
    const path = join(directory, 'config.yaml');
    writeFileSync(path, text);
    expect(() => readConfig(path)).toThrow(/config\.yaml/);
  },
);
