/** What automatic repair last decided about each cluster, for those who show clusters. */
import type { Finding } from '@redrover/core';

export class RepairBoard {
  readonly #findings = new Map<string, Finding>();

  /** Undefined: there is nothing to say. */
  put(cluster: string, finding: Finding | undefined): void {
    if (finding === undefined) this.#findings.delete(cluster);
    else this.#findings.set(cluster, finding);
  }

  /** Only of these clusters is there anything to say still. */
  keepOnly(clusters: ReadonlySet<string>): void {
    for (const name of this.#findings.keys()) if (!clusters.has(name)) this.#findings.delete(name);
  }

  findingsOf(cluster: string): Finding[] {
    const finding = this.#findings.get(cluster);
    return finding === undefined ? [] : [finding];
  }
}
