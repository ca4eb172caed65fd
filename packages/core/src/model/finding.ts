/** Findings: something wrong or risky that an examination saw. The rules that yield them are in `examination/` and `placement/`. */

/** `critical`: data or service is at risk now. `warning`: the next failure may be worse than it need be. `info`: good to know. */
export type Severity = 'critical' | 'warning' | 'info';

export interface Finding {
  /** Kebab-case name of the rule, for example `slots-not-covered`. */
  readonly rule: string;
  readonly severity: Severity;
  /** What it is about: a node key, host, shard or cluster. */
  readonly subject: string;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** What was seen, item by item. */
  readonly evidence: readonly string[];
  /** The command that repairs it or the next thing to do; empty if there is none. */
  readonly remedy: string;
}
