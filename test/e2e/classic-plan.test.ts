/** The plan that people write down by hand: six pinned nodes on one host, masters below, replicas above. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { TestStack } from '../support/stack.ts';
import { askWitness } from '../support/witness.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ hosts: 1 });
});

afterAll(async () => stack?.stop());

const masters = [6379, 6380, 6381];
const replicas = [7379, 7380, 7381];

async function writeClassicSpec(placement: object): Promise<string> {
  const node = (role: string) => (port: number, index: number) => {
    return { host: 'h1', port, shard: index + 1, role };
  };
  const nodes = [...masters.map(node('master')), ...replicas.map(node('replica'))];
  return stack.writeSpec({ name: 'classic', placement, nodes });
}

test('is refused on one host until that is allowed by name', async () => {
  const spec = await writeClassicSpec({});
  const refused = await stack.redrover(['cluster', 'plan', '-f', spec]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(/same host|one host/);
  const allowed = ['--allow-same-host', '--allow-weak-quorum'];
  const planned = await stack.redrover(['cluster', 'plan', '-f', spec, ...allowed]);
  expect(planned, planned.stdout).toMatchObject({ exitCode: 2 });
});

test('is created exactly as written', async () => {
  const spec = await writeClassicSpec({ allowSameHost: true, allowWeakQuorum: true });
  const applied = await stack.redrover(['cluster', 'apply', '-f', spec, '--yes']);
  expect(applied, applied.stderr).toMatchObject({ exitCode: 0 });
  const { nodes } = await stack.redroverJson<{
    nodes: { port: number; role: string; shard: string; address: string }[];
  }>(['cluster', 'show', 'classic']);
  const roleOf = new Map(nodes.map(({ port, role }) => [port, role]));
  expect(masters.map((port) => roleOf.get(port))).toEqual(['master', 'master', 'master']);
  expect(replicas.map((port) => roleOf.get(port))).toEqual(['replica', 'replica', 'replica']);
  const shardOf = new Map(nodes.map(({ port, shard }) => [port, shard]));
  expect(replicas.map((port) => shardOf.get(port))).toEqual(
    masters.map((port) => shardOf.get(port)),
  );
  const { password } = await stack.credentials('classic');
  const address = nodes[0]?.address ?? '';
  const verdict = await askWitness({ address, port: 6379, password });
  expect(verdict, verdict.text).toMatchObject({ ok: true, masters: 3, replicas: 3 });
});

test('is known to be a risk: the check names the pairs on one host', async () => {
  const { exitCode, stdout } = await stack.redrover(['cluster', 'check', 'classic', '-o', 'json']);
  expect(exitCode).toBe(2);
  const { findings } = JSON.parse(stdout) as { findings: { rule: string }[] };
  expect(findings.map(({ rule }) => rule)).toContainEqual(expect.stringMatching(/same-host/));
});

test('leaves nodes of another cluster alone: its ports are taken', async () => {
  const spec = await writeClassicSpec({ allowSameHost: true, allowWeakQuorum: true });
  const text = readFileSync(spec, 'utf8').replace('name: classic', 'name: other');
  const other = await stack.writeFile('other.yaml', text);
  const { exitCode, stdout, stderr } = await stack.redrover(['cluster', 'plan', '-f', other]);
  expect(exitCode).toBe(1);
  expect(stdout + stderr).toContain('6379');
});
