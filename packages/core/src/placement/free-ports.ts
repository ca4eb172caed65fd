/** Which ports the hosts that take nodes have left. */
import type { Host } from '../model/host.ts';
import { busPortOf, type Layout } from '../model/layout.ts';
import type { Observation } from '../model/observation.ts';
import type { ClusterSpec } from '../model/spec.ts';
import { allocatePorts } from './allocate-ports.ts';

export interface PortsInUse {
  readonly spec: ClusterSpec;
  /** The layout in force. */
  readonly layout: Layout;
  /** All known hosts. */
  readonly hosts: readonly Host[];
  /** Undefined: only the nodes of the layout are there. */
  readonly observation: Observation | undefined;
}

/** By address, as hosts that were by mistake enrolled with the same one share its ports. */
export class FreePorts {
  readonly #request: PortsInUse;
  readonly #taken = new Map<string, Set<number>>();

  constructor(request: PortsInUse) {
    this.#request = request;
  }

  isFree(host: Host, port: number): boolean {
    const taken = this.#takenOn(host);
    return !taken.has(port) && !taken.has(busPortOf(port));
  }

  /** The lowest; undefined when there is none. */
  findFree(host: Host): number | undefined {
    const { basePort } = this.#request.spec.placement;
    const usedPorts = [...this.#takenOn(host)];
    return allocatePorts({ basePort, count: 1, usedPorts })[0];
  }

  /** How many there are, as far as `most`. */
  countFree(host: Host, most: number): number {
    const { basePort } = this.#request.spec.placement;
    const usedPorts = [...this.#takenOn(host)];
    return allocatePorts({ basePort, count: most, usedPorts }).length;
  }

  take(host: Host, port: number): void {
    this.#takenOn(host).add(port).add(busPortOf(port));
  }

  #takenOn(host: Host): Set<number> {
    const taken = this.#taken.get(host.address) ?? this.#findTaken(host);
    this.#taken.set(host.address, taken);
    return taken;
  }

  #findTaken({ address }: Host): Set<number> {
    const { layout, hosts, observation } = this.#request;
    const sharing = hosts.filter((host) => host.address === address);
    const names = new Set(sharing.map((host) => host.name));
    // A node of an earlier layout keeps its port until it is removed.
    const present = Object.values(observation?.nodes ?? {}).filter(
      (node) => names.has(node.host) && node.process.state !== 'absent',
    );
    const nodes = [...layout.nodes.filter((node) => node.address === address), ...present];
    return new Set([
      ...sharing.flatMap((host) => host.usedPorts),
      ...nodes.flatMap(({ port }) => [port, busPortOf(port)]),
    ]);
  }
}
