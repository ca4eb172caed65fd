/**
 * Ends a server: SHUTDOWN, then SIGTERM, then SIGKILL, each with a deadline. A server that refuses
 * because it cannot save is left running: killing it would lose what it holds. A replica whose master
 * answers holds nothing of its own, so that it may go without.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readInfo, readInfoFields, RedroverError } from '@redrover/core';
import type { CleanStop, ProcessIdentity } from '../nodes/node-record.ts';
import type { NodeConnection } from '../redis/node-connection.ts';
import { isAlive } from './processes.ts';

export interface StopRequest {
  readonly key: string;
  readonly process: ProcessIdentity;
  readonly connection: NodeConnection;
  /** What a start would load by the config on disk: the AOF, else the snapshot. */
  readonly loadsAof: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface StopOutcome {
  /** Where it saved its state before it went. */
  readonly clean: CleanStop;
  /** `SHUTDOWN`, `SIGTERM` or `SIGKILL`. */
  readonly by: string;
}

/** Syncing an AOF, and up to 10 s for replicas that lag behind (`shutdown-timeout`, from 7.0). */
const AOF_SHUTDOWN_MS = 25_000;
/** Without an AOF the whole dataset is saved first: some 100 MB a second. */
const SAVING_SHUTDOWN_MS = 600_000;
const SIGTERM_MS = 10_000;
const SIGKILL_MS = 5_000;
const POLL_MS = 20;

/** @throws RedroverError `data-loss` when the server refused; `deadline-exceeded` when it survives. */
export async function stopProcess(request: StopRequest): Promise<StopOutcome> {
  const { process: identity, connection, loadsAof } = request;
  const state = await unlessAborted(readState(connection), request.signal);
  if (state !== undefined) {
    const clean = await shutDown(state, request);
    if (!isAlive(identity)) return { clean, by: 'SHUTDOWN' };
  }
  const clean = state?.aof === 'off' && loadsAof ? 'unloaded' : false;
  return { clean, by: await endBySignal(request) };
}

/** Where it saves its state; it may be alive still. @throws RedroverError `data-loss` if it refuses. */
async function shutDown(state: SavingState, request: StopRequest): Promise<CleanStop> {
  const { how, clean } = chooseSaving(state, request.loadsAof);
  const refusal = await askToShutDown(how, request);
  if (refusal === undefined) return clean;
  if (state.mayLose) {
    const second = await askToShutDown('NOSAVE', request);
    if (second === undefined) return false;
  }
  throw new RedroverError(
    'data-loss',
    `${request.key} refused to shut down: ${refusal.message}. It goes on running, for its state could ` +
      'not be saved; read its redis.log, make room on its disk, then stop it again',
    { cause: refusal },
  );
}

async function endBySignal(request: StopRequest): Promise<string> {
  const { connection, key, process: identity } = request;
  connection.close();
  if (await endBy('SIGTERM', SIGTERM_MS, request)) return 'SIGTERM';
  if (await endBy('SIGKILL', SIGKILL_MS, request)) return 'SIGKILL';
  throw new RedroverError(
    'deadline-exceeded',
    `${key} (pid ${identity.pid}) did not end within ${SIGKILL_MS / 1000} s of SIGKILL: it hangs in ` +
      'the kernel, most often on a dead disk; look at dmesg on this host',
  );
}

/**
 * What is running may differ from the config on disk, which decides what a start loads: then the
 * state is saved as a snapshot, and it counts only if that is loaded.
 */
function chooseSaving(
  state: SavingState,
  loadsAof: boolean,
): { readonly how: 'NOSAVE' | 'SAVE' | ''; readonly clean: CleanStop } {
  if (state.aof === 'whole' && loadsAof) return { how: 'NOSAVE', clean: 'aof' };
  // Nothing is kept on purpose: the operator wants no file.
  if (state.aof === 'off' && !state.snapshots && !loadsAof) return { how: '', clean: false };
  // An AOF that fails lacks what came since: only a snapshot keeps that, if the disk takes one.
  return { how: 'SAVE', clean: loadsAof ? 'unloaded' : 'rdb' };
}

interface SavingState {
  /** `failing`: the last write failed, so that the file lacks what came since. */
  readonly aof: 'off' | 'whole' | 'failing';
  readonly snapshots: boolean;
  /** A replica whose master answers: the master has all that it has. */
  readonly mayLose: boolean;
}

/** How the server keeps its state; undefined when it does not answer. */
async function readState(connection: NodeConnection): Promise<SavingState | undefined> {
  try {
    const [persistence, replication, save] = await connection.pipeline([
      ['INFO', 'persistence'],
      ['INFO', 'replication'],
      ['CONFIG', 'GET', 'save'],
    ]);
    const info = readInfoFields(String(persistence));
    const { masterLinkUp, syncInProgress } = readInfo(String(replication));
    const isWhole = info.get('aof_last_write_status') !== 'err';
    return {
      aof: info.get('aof_enabled') !== '1' ? 'off' : isWhole ? 'whole' : 'failing',
      snapshots: Array.isArray(save) && String(save[1] ?? '') !== '',
      mayLose: masterLinkUp === true && !syncInProgress,
    };
  } catch {
    // It hangs or is loading: the signals follow.
    return undefined;
  }
}

/** Undefined once the server is gone or its time is up; the error reply if it refuses. */
async function askToShutDown(
  how: 'NOSAVE' | 'SAVE' | '',
  request: StopRequest,
): Promise<RedroverError | undefined> {
  const { connection } = request;
  const deadlineMs = how === 'NOSAVE' ? AOF_SHUTDOWN_MS : SAVING_SHUTDOWN_MS;
  const command = how === '' ? (['SHUTDOWN'] as const) : (['SHUTDOWN', how] as const);
  let refusal: RedroverError | undefined;
  // A server that obeys closes the connection instead of answering.
  void connection.call(command, { timeoutMs: deadlineMs }).catch((thrown: unknown) => {
    const error = RedroverError.from(thrown);
    if (error.context['reply'] !== undefined) refusal = error;
  });
  await until(() => refusal !== undefined || !isAlive(request.process), deadlineMs, request.signal);
  connection.close();
  return refusal;
}

async function endBy(
  signal: NodeJS.Signals,
  deadlineMs: number,
  request: StopRequest,
): Promise<boolean> {
  const { process: identity } = request;
  // A signal that was sent cannot be taken back.
  request.signal?.throwIfAborted();
  if (!isAlive(identity)) return true;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // Gone between the look and the signal, which the next look sees.
  }
  return until(() => !isAlive(identity), deadlineMs, request.signal);
}

/** Whether the condition came true in time; throws when the signal is aborted meanwhile. */
async function until(
  condition: () => boolean,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    signal?.throwIfAborted();
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** The promise's value, or the signal's reason as soon as it is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
