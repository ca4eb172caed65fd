// Makes a fresh clone usable in one command: installs the locked dependencies when they are missing
// or no longer match package-lock.json, then runs scripts/<command>.mjs under Node 24. Plain
// JavaScript without dependencies, for any Node >= 20.

import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  findInstalledNode24,
  repositoryRoot,
  runInForeground,
  toolEnvironment,
} from './node24.mjs';

const COMMANDS = ['test', 'playground', 'lab', 'bench', 'check', 'build', 'generate'];

const lockFile = join(repositoryRoot, '.redrover-install.lock');

// A cold install takes about a minute; a machine with a slow registry gets ten times that.
const LOCK_WAIT_MS = 600_000;
const LOCK_POLL_MS = 200;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function readPackages(file) {
  return JSON.parse(readFileSync(join(repositoryRoot, file), 'utf8')).packages;
}

/**
 * Whether every package of package-lock.json is installed in that version. npm writes its own list
 * of what is installed at the very end of an install, so an interrupted one is not taken for done.
 */
function isInstalled() {
  if (findInstalledNode24() === undefined) return false;
  if (!existsSync(join(repositoryRoot, 'node_modules', '.package-lock.json'))) return false;
  const installed = readPackages('node_modules/.package-lock.json');
  return Object.entries(readPackages('package-lock.json')).every(([path, wanted]) => {
    if (!path.includes('node_modules/') || wanted.link) return true;
    // The binaries for other platforms are optional, and rightly absent.
    return installed[path] ? installed[path].version === wanted.version : wanted.optional;
  });
}

function install() {
  process.stderr.write('Installing the dependencies of this checkout (npm ci)...\n');
  // --include=dev: the tools are needed here even when NODE_ENV says production.
  const args = ['ci', '--include=dev', '--loglevel=error', '--no-progress'];
  const result = spawnSync('npm', args, {
    cwd: repositoryRoot,
    stdio: ['ignore', 2, 2],
    env: toolEnvironment(),
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`npm ci failed with exit code ${result.status}`);
  if (findInstalledNode24() === undefined) {
    throw new Error(
      'npm ci did not bring Node 24: were install scripts disabled (ignore-scripts)?',
    );
  }
}

/** The lock's holder as `pid start-time`, so that a recycled pid is not taken for it. */
function describeProcess(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Field 22, counted after the command name, which may itself contain spaces.
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    // No such process, or no /proc on this system: then the pid alone must do.
    return isAlive(pid) ? `${pid}` : undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock by linking a finished file into place: a lock is never seen without its owner. */
function tryLock() {
  const mine = `${lockFile}.${process.pid}`;
  writeFileSync(mine, describeProcess(process.pid));
  try {
    linkSync(mine, lockFile);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function dropStaleLock() {
  let holder;
  try {
    holder = readFileSync(lockFile, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  const pid = Number(holder.split(' ')[0]);
  if (describeProcess(pid) === holder) return;
  // Moved aside rather than removed, so that of several waiters only one drops this very lock.
  const aside = `${lockFile}.stale.${process.pid}`;
  try {
    renameSync(lockFile, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, lockFile);
  rmSync(aside, { force: true });
}

async function ensureInstalled() {
  if (isInstalled()) return;
  const deadline = Date.now() + LOCK_WAIT_MS;
  let announced = false;
  while (!tryLock()) {
    dropStaleLock();
    if (isInstalled()) return;
    if (Date.now() > deadline) {
      throw new Error(`another install holds ${lockFile}; remove it if none is running`);
    }
    if (!announced) process.stderr.write('Waiting for another install in this checkout...\n');
    announced = true;
    await pause(LOCK_POLL_MS);
  }
  try {
    if (!isInstalled()) install();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

async function main() {
  const [command, ...args] = process.argv.slice(2);
  if (!COMMANDS.includes(command)) {
    process.stderr.write(`usage: node scripts/bootstrap.mjs ${COMMANDS.join('|')} [arguments]\n`);
    process.exit(64);
  }
  await ensureInstalled();
  const script = join(repositoryRoot, 'scripts', `${command}.mjs`);
  process.exit(await runInForeground(findInstalledNode24(), [script, ...args]));
}

await main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
