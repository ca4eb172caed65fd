/** Where the host's files are. A prefix of its own lets a whole host be described below a folder. */

export interface HostPaths {
  readonly proc: string;
  readonly sys: string;
  readonly etc: string;
  readonly run: string;
  readonly usr: string;
}

export function hostPaths(prefix = ''): HostPaths {
  return {
    proc: `${prefix}/proc`,
    sys: `${prefix}/sys`,
    etc: `${prefix}/etc`,
    run: `${prefix}/run`,
    usr: `${prefix}/usr`,
  };
}
