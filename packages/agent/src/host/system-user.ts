/** Unprivileged system users, which compilers and nodes run as. Who runs as which is not this file's business. */
import { execa } from 'execa';
import { RedroverError } from '@redrover/core';

import { errnoOf, type FileOwner } from '../files/durable-file.ts';

/** The user's ids; undefined when there is no such user. */
export async function findUser(name: string): Promise<FileOwner | undefined> {
  checkUserName(name);
  // getent and not /etc/passwd: the user may be of a directory service.
  const result = await execa('getent', ['passwd', name], { reject: false });
  const [, , uid, gid] = (result.exitCode === 0 ? result.stdout : '').split(':');
  if (uid === undefined || gid === undefined) return undefined;
  return { uid: Number.parseInt(uid, 10), gid: Number.parseInt(gid, 10) };
}

/** Finds the user or, as root, creates it: without a home, a password or a shell. */
export async function ensureSystemUser(name: string): Promise<FileOwner> {
  const present = await findUser(name);
  if (present !== undefined) return present;
  if (process.getuid?.() !== 0) throw cannotCreate(name, 'only root can create it');
  const shell = '/usr/sbin/nologin';
  const args = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
  const result = await execa('useradd', [...args, '--shell', shell, name], { reject: false });
  // Another agent of the machine may have been quicker: what counts is that it is there.
  const created = await findUser(name);
  if (created !== undefined) return created;
  const reason = errnoOf(result.cause) === 'ENOENT' ? 'useradd is not installed' : result.stderr;
  throw cannotCreate(name, reason);
}

function cannotCreate(name: string, reason: string): RedroverError {
  return new RedroverError(
    'permission-denied',
    `the system user ${name} is missing and could not be created (${reason}); run: ` +
      `sudo useradd --system --user-group --no-create-home --shell /usr/sbin/nologin ${name}`,
  );
}

/** It becomes an argument of getent and useradd (the form that useradd(8) recommends). */
function checkUserName(name: string): void {
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) return;
  throw new RedroverError('invalid-argument', `"${name}" is not a user name`);
}
