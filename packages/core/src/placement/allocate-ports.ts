/** Hands out ports on one host, so that neither they nor their bus ports meet anything in use. */
import { busPortOf } from '../model/layout.ts';

const MAX_PORT = 65_535;

export interface PortRequest {
  /** The lowest port to hand out. */
  readonly basePort: number;
  readonly count: number;
  /** Ports that others use. */
  readonly usedPorts: readonly number[];
}

/** The lowest free ports in rising order; fewer than asked for when there are no more. */
export function allocatePorts(request: PortRequest): number[] {
  const taken = new Set(request.usedPorts);
  const ports: number[] = [];
  for (let port = request.basePort; ports.length < request.count; port += 1) {
    const busPort = busPortOf(port);
    if (busPort > MAX_PORT) break;
    if (taken.has(port) || taken.has(busPort)) continue;
    taken.add(port).add(busPort);
    ports.push(port);
  }
  return ports;
}
