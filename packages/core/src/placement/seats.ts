/** Keeps track of which seats of the hosts are taken by nodes that are fixed to no shard. */
import type { PlacementProblem, ProblemHost } from './placement-problem.ts';

export class Seats {
  readonly #problem: PlacementProblem;
  readonly #masters: Int32Array;
  readonly #replicas: Int32Array;

  constructor(problem: PlacementProblem) {
    this.#problem = problem;
    this.#masters = new Int32Array(problem.hosts.length);
    this.#replicas = new Int32Array(problem.hosts.length);
  }

  takeMaster(host: number, sign: 1 | -1 = 1): void {
    this.#masters[host] = (this.#masters[host] ?? 0) + sign;
  }

  takeReplica(host: number, sign: 1 | -1 = 1): void {
    this.#replicas[host] = (this.#replicas[host] ?? 0) + sign;
  }

  /** Whether one more master leaves the seats that are pinned to replicas free. */
  hasMasterSeat(host: number): boolean {
    const { maxNodes, replicaSeats } = this.#host(host);
    const masters = this.#masters[host] ?? 0;
    return masters < maxNodes - replicaSeats && this.taken(host) < maxNodes;
  }

  hasReplicaSeat(host: number): boolean {
    const { maxNodes, masterSeats } = this.#host(host);
    const replicas = this.#replicas[host] ?? 0;
    return replicas < maxNodes - masterSeats && this.taken(host) < maxNodes;
  }

  /** Whether more is taken than the host has, or than leaves room for the seats of a role. */
  isOverfull(host: number): boolean {
    const { maxNodes, masterSeats, replicaSeats } = this.#host(host);
    const [masters, replicas] = [this.#masters[host] ?? 0, this.#replicas[host] ?? 0];
    const mostMasters = maxNodes - replicaSeats;
    return (
      this.taken(host) > maxNodes || masters > mostMasters || replicas > maxNodes - masterSeats
    );
  }

  taken(host: number): number {
    return (this.#masters[host] ?? 0) + (this.#replicas[host] ?? 0);
  }

  /** Seats that must still be filled, with whatever role. */
  missing(host: number): number {
    return this.#host(host).minNodes - this.taken(host);
  }

  missingMasters(host: number): number {
    return this.#host(host).masterSeats - (this.#masters[host] ?? 0);
  }

  missingReplicas(host: number): number {
    return this.#host(host).replicaSeats - (this.#replicas[host] ?? 0);
  }

  /** Whether everything that had to be filled is. */
  areFilled(): boolean {
    return this.#problem.hosts.every(
      (_, host) =>
        this.missing(host) <= 0 &&
        this.missingMasters(host) <= 0 &&
        this.missingReplicas(host) <= 0 &&
        this.taken(host) <= this.#host(host).maxNodes,
    );
  }

  #host(host: number): ProblemHost {
    return this.#problem.hosts[host] ?? NO_HOST;
  }
}

const NO_HOST: ProblemHost = {
  zone: 0,
  minNodes: 0,
  maxNodes: 0,
  masterSeats: 0,
  replicaSeats: 0,
};
