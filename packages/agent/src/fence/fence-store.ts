/**
 * The highest controller incarnation and, per cluster, the highest layout that this agent accepted,
 * on disk: a controller that was restored from a backup, or a command that was held up somewhere,
 * cannot act on what is newer. Also keeps the last accepted plan of each node.
 */
import { join } from 'node:path';
import { RedroverError, type Fence, type NodeKey, type NodePlan } from '@redrover/core';
import { readIfPresent, writeDurableFile } from '../files/durable-file.ts';

export interface ClusterFence {
  readonly layoutNumber: number;
  /** Last accepted plan of each of the cluster's nodes on this host: no secrets. */
  readonly plans: Readonly<Record<NodeKey, NodePlan>>;
}

interface FenceFile {
  readonly format: 1;
  readonly incarnation: number;
  readonly clusters: Readonly<Record<string, ClusterFence>>;
}

const NOTHING: FenceFile = { format: 1, incarnation: 0, clusters: {} };

export class FenceStore {
  readonly #path: string;
  #file: FenceFile;
  /** What is known to be on disk: after a failed write that is less than what was accepted. */
  #written: string;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FenceFile) {
    this.#path = path;
    this.#file = file;
    this.#written = JSON.stringify(file);
  }

  /** @throws RedroverError `data-loss` for a file that cannot be read: it must not be taken for none. */
  static async open(stateDirectory: string): Promise<FenceStore> {
    const path = join(stateDirectory, 'fence.json');
    const text = await readIfPresent(path);
    return new FenceStore(path, text === undefined ? NOTHING : parse(text, path));
  }

  get incarnation(): number {
    return this.#file.incarnation;
  }

  /** The last accepted layout and plans of a cluster. */
  cluster(name: string): ClusterFence | undefined {
    return this.#file.clusters[name];
  }

  /**
   * Accepts the fence and remembers it, or refuses.
   *
   * @throws RedroverError `fenced`.
   */
  async accept(fence: Fence, now: number, plan?: NodePlan): Promise<void> {
    refuse(fence, now, this.#file);
    const known = this.#file.clusters[fence.cluster];
    if (plan === undefined && known === undefined) {
      // Nothing of the cluster is here to protect: a name that is used again starts afresh.
      await this.acceptIncarnation(fence.incarnation);
      return;
    }
    const plans = plan === undefined ? {} : { [plan.node.key]: plan };
    const cluster = {
      layoutNumber: fence.layoutNumber,
      plans: { ...known?.plans, ...plans },
    };
    const clusters = { ...this.#file.clusters, [fence.cluster]: cluster };
    const next: FenceFile = { format: 1, incarnation: fence.incarnation, clusters };
    await this.#replace(next);
  }

  /** Notes a controller's incarnation before any command. @throws RedroverError `fenced` if older. */
  async acceptIncarnation(incarnation: number): Promise<void> {
    if (incarnation < this.#file.incarnation) throw oldController(incarnation, this.#file);
    await this.#replace({ ...this.#file, incarnation });
  }

  /** The node is gone: its plan, and with the last one its cluster, is forgotten. */
  async forgetNode(cluster: string, key: NodeKey): Promise<void> {
    const known = this.#file.clusters[cluster];
    if (known === undefined || known.plans[key] === undefined) return;
    const { [key]: _, ...plans } = known.plans;
    const { [cluster]: __, ...others } = this.#file.clusters;
    const isLast = Object.keys(plans).length === 0;
    const clusters = isLast ? others : { ...others, [cluster]: { ...known, plans } };
    await this.#replace({ ...this.#file, clusters });
  }

  /** Resolves when what was accepted is on disk, by this call or by one before it. */
  async #replace(file: FenceFile): Promise<void> {
    this.#file = file;
    // One at a time, each of what is true by then: an older one never lands last.
    const write = this.#writing.then(() => this.#write());
    this.#writing = write.catch(() => {});
    await write;
  }

  async #write(): Promise<void> {
    const text = JSON.stringify(this.#file);
    if (text === this.#written) return;
    await writeDurableFile(this.#path, `${text}\n`);
    this.#written = text;
  }
}

function refuse(fence: Fence, now: number, file: FenceFile): void {
  if (fence.incarnation < file.incarnation) throw oldController(fence.incarnation, file);
  const layoutNumber = file.clusters[fence.cluster]?.layoutNumber ?? 0;
  if (fence.layoutNumber < layoutNumber) {
    throw new RedroverError(
      'fenced',
      `the command is for layout ${fence.layoutNumber} of ${fence.cluster}, and this host has ` +
        `accepted layout ${layoutNumber} already; plan again`,
    );
  }
  if (fence.expiresAtMs <= now) {
    throw new RedroverError(
      'fenced',
      `the command of operation ${fence.operationId} expired ${now - fence.expiresAtMs} ms ago; if ` +
        'this keeps happening, compare the clocks of this host and the controller',
    );
  }
}

function oldController(incarnation: number, file: FenceFile): RedroverError {
  return new RedroverError(
    'fenced',
    `the controller's incarnation ${incarnation} is older than ${file.incarnation}, which this host ` +
      'has accepted; if it was restored from a backup, run `redrover-controller takeover` on it',
  );
}

function parse(text: string, path: string): FenceFile {
  try {
    const value = JSON.parse(text) as FenceFile | null;
    if (value?.format === 1 && typeof value.incarnation === 'number') return value;
  } catch {
    // Not JSON: said below, with what to do.
  }
  throw new RedroverError(
    'data-loss',
    `${path} cannot be read, so it is unknown which controller this agent obeyed last; make sure ` +
      'that only one controller is alive, then delete the file and start the agent again',
  );
}
