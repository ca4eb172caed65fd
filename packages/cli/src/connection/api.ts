/** The controller's API as typed clients, one for each service. Errors arrive as `RedroverError`. */
import { ClusterService, HostService, OperationService, ReleaseService } from '@redrover/proto';
import { createClient } from '@redrover/wire';
import type { Client } from '@redrover/wire';

export interface Api {
  readonly hosts: Client<typeof HostService>;
  readonly releases: Client<typeof ReleaseService>;
  readonly clusters: Client<typeof ClusterService>;
  readonly operations: Client<typeof OperationService>;
  readonly close: () => void;
}

export interface ApiOptions {
  /** `host:port`. */
  readonly address: string;
  readonly token: string | undefined;
  /** Of each call with one answer; undefined: the client's default. */
  readonly timeoutMs?: number | undefined;
}

/** Connects with the first call. */
export function connectApi({ address, token, timeoutMs }: ApiOptions): Api {
  const options = { token, timeoutMs };
  const hosts = createClient(HostService, address, options);
  const releases = createClient(ReleaseService, address, options);
  const clusters = createClient(ClusterService, address, options);
  const operations = createClient(OperationService, address, options);
  const clients = [hosts, releases, clusters, operations];
  return { hosts, releases, clusters, operations, close: () => clients.forEach((c) => c.close()) };
}
