/** What Redis itself says of a cluster, through the client of a build: a witness that is not ours. */
import { execa } from 'execa';
import { stripVTControlCharacters } from 'node:util';
import { inject } from 'vitest';

export interface WitnessInput {
  readonly address: string;
  readonly port: number;
  readonly password: string;
  /** `redis-cli` or `valkey-cli`; default: of the release that most tests use. */
  readonly client?: string;
}

export interface Verdict {
  /** Exit code 0, and every line that it prints for a healthy cluster. */
  readonly ok: boolean;
  readonly masters: number;
  readonly replicas: number;
  readonly slotsCovered: number;
  /** Everything it said, for the message of a test that fails. */
  readonly text: string;
}

const CHECK_TIMEOUT_MS = 30_000;

/** `redis-cli --cluster check`, the password in the environment as its own documentation advises. */
export async function askWitness(input: WitnessInput): Promise<Verdict> {
  const { address, port, password, client } = input;
  const result = await runRedisCli(['--cluster', 'check', `${address}:${port}`], password, client);
  const { text } = result;
  const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  return {
    ok:
      result.exitCode === 0 &&
      text.includes('[OK] All nodes agree about slots configuration.') &&
      text.includes('[OK] All 16384 slots covered.') &&
      !text.includes('[ERR]') &&
      !text.includes('[WARNING]'),
    masters: count(/^M: /gm),
    replicas: count(/^S: /gm),
    slotsCovered: [...text.matchAll(/\((\d+) slots\) master/g)].reduce(
      (sum, [, slots]) => sum + Number(slots),
      0,
    ),
    text,
  };
}

export interface CommandOutput {
  readonly exitCode: number;
  readonly text: string;
}

export async function runRedisCli(
  args: readonly string[],
  password: string,
  client = inject('release').cli,
): Promise<CommandOutput> {
  const { exitCode = -1, all } = await execa(client, [...args], {
    reject: false,
    all: true,
    timeout: CHECK_TIMEOUT_MS,
    env: { REDISCLI_AUTH: password },
  });
  // redis-cli paints its headlines, terminal or not.
  return { exitCode, text: stripVTControlCharacters(all) };
}
