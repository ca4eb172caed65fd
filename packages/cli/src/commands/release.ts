/** `redrover release …`: versions of Redis or Valkey, and their builds. */
import { RedroverError } from '@redrover/core';
import { HostStatus } from '@redrover/proto';
import { buildFromProto, releaseSourceToProto } from '@redrover/wire';
import type { Command } from 'commander';

import { ExitCode } from '../exit-code.ts';
import { createDisplay, spinner } from '../progress/display.ts';
import { argumentAt, flagOption, textOption } from '../program/define-command.ts';
import type { Attach, Handler, Invocation } from '../program/define-command.ts';
import type { Session } from '../program/session.ts';
import { UsageError } from '../program/usage-error.ts';
import { present } from '../render/present.ts';
import {
  renderBuild,
  renderRelease,
  renderReleases,
  toBuildView,
  toReleaseView,
} from '../render/release-view.ts';
import { readSourceArgument } from './release-source.ts';
import { uploadRelease } from './upload.ts';

export function defineReleaseCommands(program: Command, attach: Attach): void {
  const release = program.command('release').description('versions of Redis and their builds');
  attach(
    release
      .command('ls')
      .description('list the releases in use')
      .option('-a, --all', 'also those of the built-in catalogue that nobody uses'),
    listReleases,
  );
  attach(
    release.command('show').description('source and builds of a release').argument('<release>'),
    showRelease,
  );
  attach(
    release
      .command('add')
      .description('make a release known: https://….tar.gz, apt:PACKAGE, or a local .tar.gz')
      .argument('<source>')
      .option('--name <name>', 'such as redis-7.0.15; else from the file name or the package')
      .option('--sha256 <digest>', 'of the archive; needed when the catalogue does not know it'),
    addRelease,
  );
  attach(
    release
      .command('rm')
      .description('forget a release that no cluster uses')
      .argument('<release>'),
    removeRelease,
  );
  attach(
    release
      .command('build')
      .description('compile a release on a host now; other hosts of its platform fetch the result')
      .argument('<release>')
      .option('--host <host>', 'the host that compiles; else the first one online'),
    buildRelease,
  );
}

const listReleases: Handler = async ({ api, output }, invocation) => {
  const { releases } = await api.releases.listReleases({ all: flagOption(invocation, 'all') });
  const views = releases.map(toReleaseView);
  output.result(views, (view) => renderReleases(views, view));
  return ExitCode.done;
};

const showRelease: Handler = async ({ api, output }, invocation) => {
  const { release } = await api.releases.getRelease({ release: argumentAt(invocation, 0) });
  const releaseView = toReleaseView(present(release, 'release'));
  output.result(releaseView, (view) => renderRelease(releaseView, view, Date.now()));
  return ExitCode.done;
};

// apt reads the lists of its mirror first, perhaps over a slow line.
export const ADD_TIMEOUT_MS = 180_000;

const addRelease: Handler = async (session, invocation) => {
  const argument = readSourceArgument(argumentAt(invocation, 0));
  const name = textOption(invocation, 'name') ?? '';
  const sha256 = readDigest(invocation);
  const added =
    argument.kind === 'file'
      ? await uploadRelease(session, { ...argument, name, sha256 })
      : (
          await session.api.releases.addRelease(
            { name, source: releaseSourceToProto(argument.source), sha256 },
            session.allow(ADD_TIMEOUT_MS),
          )
        ).release;
  const releaseView = toReleaseView(present(added, 'release'));
  session.output.result(releaseView, (view) => renderRelease(releaseView, view, Date.now()));
  return ExitCode.done;
};

const removeRelease: Handler = async ({ api, output }, invocation) => {
  const release = argumentAt(invocation, 0);
  await api.releases.removeRelease({ release });
  output.note(`${release} is forgotten.`);
  return ExitCode.done;
};

const buildRelease: Handler = async (session, invocation) => {
  const release = argumentAt(invocation, 0);
  const host = textOption(invocation, 'host') ?? (await firstOnlineHost(session));
  const build = await followBuild(session, { release, host });
  session.output.result(build, (view) => renderBuild(build, view, Date.now()).join('\n'));
  return ExitCode.done;
};

export interface BuildTarget {
  readonly release: string;
  readonly host: string;
}

/** Compiles and shows the compiler's last line; in a pipe every line. */
export async function followBuild({ api, output }: Session, { release, host }: BuildTarget) {
  const display = createDisplay(output.stderr, output.notes);
  display.say(`Building ${release} on ${host}...`);
  try {
    for await (const { event } of api.releases.buildRelease({ release, host })) {
      if (event.case === 'build') return toBuildView(buildFromProto(event.value));
      if (event.case !== 'line') continue;
      if (display.live) display.show([`${spinner(Date.now())} ${event.value.trim()}`]);
      else display.say(event.value);
    }
  } finally {
    display.clear();
  }
  throw new RedroverError('internal', `the build of ${release} on ${host} ended without a result`);
}

async function firstOnlineHost({ api }: Session): Promise<string> {
  const { hosts } = await api.hosts.listHosts({});
  const online = hosts.find(({ status }) => status === HostStatus.ONLINE);
  if (online !== undefined) return online.name;
  throw new RedroverError('failed-precondition', 'no host is online that could compile');
}

function readDigest(invocation: Invocation): string {
  const digest = (textOption(invocation, 'sha256') ?? '').toLowerCase();
  if (digest === '' || /^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new UsageError(`--sha256 takes 64 hexadecimal digits, not "${digest}"`);
}
