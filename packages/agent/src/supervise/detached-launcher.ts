/**
 * Starts servers in a session of their own, with standard output and error to a file: nothing ties
 * them to the agent, so nothing that ends the agent ends them.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { RedroverError } from '@redrover/core';
import { fileError } from '../files/durable-file.ts';
import { NODE_NOFILE, type ExitReport, type Launcher, type LaunchRequest } from './launcher.ts';

/** Of -1000 to 1000: well below ordinary processes (0), above what must never be killed. */
const OOM_SCORE_ADJUST = -500;

/**
 * $1 nofile, $2 uid or empty, $3 gid, then the command. A hard limit below the wanted one cannot be
 * raised without root: then the most that is allowed is taken, and the observation shows it.
 * The score makes the kernel pick other victims first when memory runs out, and undoes whatever the
 * agent's own unit says of the agent. Only root may lower it, so failing is expected otherwise.
 */
const START_SCRIPT = `
ulimit -n "$1" 2>/dev/null || ulimit -n "$(ulimit -Hn)"
uid=$2 gid=$3
shift 3
{ echo ${OOM_SCORE_ADJUST} > /proc/self/oom_score_adj; } 2>/dev/null
umask 027
if [ -n "$uid" ]; then
  exec setpriv --reuid "$uid" --regid "$gid" --clear-groups -- "$@"
fi
exec "$@"
`;

/**
 * The directory is the node's user's: as root, never write through a link that was put there, nor
 * wait for the reader of a pipe. So the file is always a new one.
 */
const STDIO_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

export class DetachedLauncher implements Launcher {
  async launch(request: LaunchRequest) {
    const { user, server, config, directory, key } = request;
    const output = await openNew(request.stdio).catch((thrown: unknown) => {
      throw fileError(thrown, `starting ${key}: opening ${request.stdio}`);
    });
    try {
      const ids = [
        user === undefined ? '' : `${user.uid}`,
        user === undefined ? '' : `${user.gid}`,
      ];
      const args = ['-c', START_SCRIPT, 'redrover-node', `${NODE_NOFILE}`, ...ids, server, config];
      const child = spawn('/bin/sh', args, {
        cwd: directory,
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
        env: nodeEnvironment(),
      });
      const exited = new Promise<ExitReport>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }));
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', (error) => reject(fileError(error, `starting ${key}`)));
      });
      child.unref();
      if (child.pid === undefined) throw new RedroverError('internal', `${key} got no pid`);
      return { pid: child.pid, exited };
    } finally {
      await output.close();
    }
  }
}

async function openNew(path: string): Promise<FileHandle> {
  await rm(path, { force: true });
  return open(path, STDIO_FLAGS, 0o640);
}

/** Nothing of the agent's environment, tokens least of all, reaches a server. */
function nodeEnvironment(): Record<string, string> {
  const { PATH, TZ, LD_LIBRARY_PATH } = process.env;
  return {
    PATH: PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    ...(TZ === undefined ? {} : { TZ }),
    ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
  };
}
