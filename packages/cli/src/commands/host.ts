/** `redrover host …`: the machines, and their tuning. */
import type { TuningItem } from '@redrover/core';
import { tuningItemFromProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { argumentAt } from '../program/define-command.ts';
import type { Attach, Handler } from '../program/define-command.ts';
import { renderHost, renderHosts, renderTuning, toHostView } from '../render/host-view.ts';
import { present } from '../render/present.ts';
import { defineHostChanges } from './host-change.ts';

export function defineHostCommands(program: Command, attach: Attach): void {
  const host = program
    .command('host')
    .description('the machines that carry nodes: look, tune, drain, replace');
  attach(host.command('ls').description('list the hosts'), listHosts);
  attach(
    host
      .command('show')
      .description('what a host is made of and what runs on it')
      .argument('<host>'),
    showHost,
  );
  attach(
    host
      .command('check')
      .description('compare kernel and limit settings with what Redis wants (exit code 2: differs)')
      .argument('<host>'),
    checkHost,
  );
  attach(
    host
      .command('tune')
      .description('apply and persist the settings, and show before and after')
      .argument('<host>'),
    tuneHost,
  );
  defineHostChanges(host, attach);
  attach(
    host
      .command('rm')
      .description('forget a lost host; its nodes then count as gone')
      .argument('<host>'),
    removeHost,
  );
}

const listHosts: Handler = async ({ api, output }) => {
  const { hosts } = await api.hosts.listHosts({});
  const views = hosts.map(toHostView);
  output.result(views, (view) => renderHosts(views, view, Date.now()));
  return ExitCode.done;
};

const showHost: Handler = async ({ api, output }, invocation) => {
  const { host } = await api.hosts.getHost({ host: argumentAt(invocation, 0) });
  const hostView = toHostView(present(host, 'host'));
  output.result(hostView, (view) => renderHost(hostView, view, Date.now()));
  return ExitCode.done;
};

const checkHost: Handler = async ({ api, output }, invocation) => {
  const { items } = await api.hosts.checkHost({ host: argumentAt(invocation, 0) });
  const found = items.map((each) => tuningItemFromProto(each));
  output.result(found, (view) => renderTuning(found, view));
  return found.every(isSettled) ? ExitCode.done : ExitCode.attention;
};

// Writes files and runs `sysctl` and the like; the controller itself gives it a minute.
const TUNE_TIMEOUT_MS = 90_000;

const tuneHost: Handler = async (session, invocation) => {
  const { api, output } = session;
  const host = argumentAt(invocation, 0);
  const { items } = await api.hosts.tuneHost({ host }, session.allow(TUNE_TIMEOUT_MS));
  const tuned = items.map((each) => tuningItemFromProto(each));
  output.result(tuned, (view) => renderTuning(tuned, view));
  const open = tuned.filter((item) => !isSettled(item));
  if (open.length === 0) return ExitCode.done;
  output.note(`Not as wanted: ${open.map(({ name }) => name).join(', ')}; the rest was applied.`);
  return ExitCode.failed;
};

const removeHost: Handler = async (session, invocation) => {
  const host = argumentAt(invocation, 0);
  const { nodes } = toHostView(present((await session.api.hosts.getHost({ host })).host, 'host'));
  const names = nodes.map(({ key }) => key).join(', ');
  session.output.note(
    nodes.length === 0
      ? `${host} has no nodes.`
      : `${host} had ${names}: they count as gone, and what is on its disks stays there.`,
  );
  if (!(await session.confirmByTyping(`Type ${host} to forget it: `, host))) {
    session.output.note('That is not its name: nothing was changed.');
    return ExitCode.failed;
  }
  await session.api.hosts.removeHost({ host });
  session.output.result({ host, removed: true }, () => `${host} is forgotten.`);
  return ExitCode.done;
};

/** Advice is for people to weigh; it is not something that tuning could have done. */
function isSettled(item: TuningItem): boolean {
  return item.state === 'ok' || item.state === 'advice';
}
