/** `redrover context …`: names for controllers. Asks no controller anything. */
import { RedroverError } from '@redrover/core';
import type { Command } from 'commander';
import { resolve } from 'node:path';

import {
  configPath,
  readConfig,
  updateConfig,
  withContext,
  withCurrent,
  withoutContext,
} from '../context/config-file.ts';
import type { Config } from '../context/config-file.ts';
import { checkAddress } from '../context/resolve-target.ts';
import { ExitCode } from '../exit-code.ts';
import { argumentAt } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import { UsageError } from '../program/usage-error.ts';

export function defineContextCommands(program: Command, attach: Attach): void {
  const context = program.command('context').description('names for controllers');
  attach(context.command('ls').description('list the contexts'), listContexts);
  attach(
    context.command('use').description('make a context the current one').argument('<name>'),
    useContext,
  );
  attach(
    context
      .command('set')
      .description('add or change a context from --controller and --token-file, and use it')
      .argument('<name>'),
    setContext,
  );
  attach(context.command('rm').description('forget a context').argument('<name>'), removeContext);
}

const listContexts: Handler = async ({ output, terminal }) => {
  const { current, contexts } = readConfig(configPath(terminal.env));
  const list = Object.entries(contexts).map(([name, { controller, tokenFile }]) => ({
    name,
    current: name === current,
    controller,
    tokenFile: tokenFile ?? '',
  }));
  output.result(list, (view) =>
    list.length === 0
      ? 'No contexts yet: `redrover context set NAME --controller HOST:PORT --token-file FILE`.'
      : view.table(
          ['', 'NAME', 'CONTROLLER', 'TOKEN FILE'],
          list.map((each) => [each.current ? '*' : '', each.name, each.controller, each.tokenFile]),
        ),
  );
  return ExitCode.done;
};

const useContext: Handler = async ({ output, terminal }, invocation) => {
  const name = argumentAt(invocation, 0);
  await updateConfig(configPath(terminal.env), (config) => {
    assertKnown(config, name);
    return withCurrent(config, name);
  });
  output.note(`Commands now go to context "${name}".`);
  return ExitCode.done;
};

const setContext: Handler = async ({ flags, output, terminal }, invocation) => {
  const name = argumentAt(invocation, 0);
  const path = configPath(terminal.env);
  const before = readConfig(path).contexts[name];
  const controller = flags.controller ?? before?.controller;
  if (controller === undefined) {
    throw new UsageError(`name the controller of context "${name}" with --controller HOST:PORT`);
  }
  const tokenFile = flags.tokenFile === undefined ? before?.tokenFile : resolve(flags.tokenFile);
  const context = { controller: checkAddress(controller), tokenFile };
  await updateConfig(path, (config) => withCurrent(withContext(config, name, context), name));
  output.note(`Context "${name}" is ${controller}; commands now go there.`);
  return ExitCode.done;
};

const removeContext: Handler = async ({ output, terminal }, invocation) => {
  const name = argumentAt(invocation, 0);
  await updateConfig(configPath(terminal.env), (config) => {
    assertKnown(config, name);
    return withoutContext(config, name);
  });
  output.note(`Context "${name}" is forgotten; nothing else was touched.`);
  return ExitCode.done;
};

function assertKnown({ contexts }: Config, name: string): void {
  if (contexts[name] !== undefined) return;
  const known = Object.keys(contexts).join(', ') || 'none';
  throw new RedroverError('not-found', `there is no context "${name}" (known: ${known})`);
}
