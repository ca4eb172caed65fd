/** What an operator asks of a host; each is a next layout of every cluster with nodes on it. */

/**
 * - `drain`: masters are handed off, then the host's nodes are stopped; they stay where they are.
 * - `drainMove`: the host's nodes are laid out anew on other hosts.
 * - `undrain`: the nodes of a drained host run again, and masters come home.
 * - `replace`: the nodes of a host that is lost are laid out anew on the host `with`.
 * - `readdress`: the host has another address than its nodes bind to and announce.
 */
export type HostChange =
  | { readonly kind: 'drain' | 'drainMove' | 'undrain' | 'readdress'; readonly host: string }
  | { readonly kind: 'replace'; readonly host: string; readonly with: string };

export type HostChangeKind = HostChange['kind'];

/** As people write it: `drain host h2`, `replace host h2 with h7`. */
export function describeHostChange(change: HostChange): string {
  switch (change.kind) {
    case 'drain':
    case 'undrain':
    case 'readdress':
      return `${change.kind} host ${change.host}`;
    case 'drainMove':
      return `drain host ${change.host} and move its nodes`;
    case 'replace':
      return `replace host ${change.host} with ${change.with}`;
  }
}
