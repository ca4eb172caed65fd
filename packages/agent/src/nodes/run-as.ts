/** Which system user nodes run as: never root. */
import { execa } from 'execa';
import { RedroverError } from '@redrover/core';
import type { FileOwner } from '../files/durable-file.ts';

export interface RunAs extends FileOwner {
  readonly name: string;
}

/** A user name as useradd(8) takes it. */
const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/**
 * As root: the named user, created as a system user without a shell when missing. Otherwise
 * undefined: nodes run as whoever runs the agent.
 */
export async function resolveRedisUser(name: string): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  if (!USER_NAME.test(name)) {
    throw new RedroverError('invalid-argument', `--redis-user: ${JSON.stringify(name)} is no user`);
  }
  const found = await lookUp(name);
  if (found !== undefined) return refuseRoot(found);
  const options = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
  const created = await execa('useradd', [...options, name], { reject: false });
  // 9: somebody else created it meanwhile.
  if (created.failed && created.exitCode !== 9) {
    throw new RedroverError(
      'permission-denied',
      `creating the user ${name} for the nodes failed: ${String(created.stderr)}; ` +
        `create it by hand: useradd --system ${name}`,
      { cause: created },
    );
  }
  const user = await lookUp(name);
  if (user !== undefined) return refuseRoot(user);
  throw new RedroverError('internal', `the user ${name} was created and is not there`);
}

async function lookUp(name: string): Promise<RunAs | undefined> {
  const { stdout, exitCode } = await execa('getent', ['passwd', name], { reject: false });
  if (exitCode !== 0) return undefined;
  const [, , uid, gid] = String(stdout).trim().split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}

function refuseRoot(user: RunAs): RunAs {
  if (user.uid !== 0) return user;
  throw new RedroverError(
    'invalid-argument',
    `--redis-user ${user.name} is root; nodes run as an unprivileged user`,
  );
}
