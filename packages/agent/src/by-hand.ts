/** `release-node` and `stop-nodes`: what a person may ask of a root on the host itself. */
import { RedroverError } from '@redrover/core';
import type { Logger } from 'pino';
import { withAgentLock } from './agent-lock.ts';
import { writeDurableFile } from './files/durable-file.ts';
import { NodeRecords } from './nodes/node-record.ts';
import { agentPaths } from './nodes/paths.ts';
import { createRegistry } from './run-agent.ts';
import { DetachedLauncher } from './supervise/detached-launcher.ts';
import { isAlive, readBootId } from './supervise/processes.ts';
import { releaseFile, releaseWord } from './supervise/start-facts.ts';

/** Lets a held node start although its replicas may lose data; a running agent sees it in a second. */
export async function releaseNode(root: string, port: number): Promise<void> {
  const paths = agentPaths(root);
  const { records } = await new NodeRecords(paths.records).load();
  const record = records.find((candidate) => candidate.port === port);
  if (record === undefined) {
    const ports = records.map((known) => known.port).join(', ') || 'none';
    throw new RedroverError('not-found', `${root} has no node on port ${port} (it has: ${ports})`);
  }
  const { process: last, key } = record;
  if (last !== undefined && last.bootId === readBootId() && isAlive(last)) {
    throw new RedroverError(
      'failed-precondition',
      `${key} is running (pid ${last.pid}): there is nothing to release`,
    );
  }
  await writeDurableFile(releaseFile(paths.records, port), releaseWord(record));
}

/**
 * Stops every node of the root, without a controller and without an agent; none is started again by
 * the next agent. Answers what happened to each node.
 */
export async function stopNodes(root: string, log: Logger): Promise<readonly string[]> {
  const paths = agentPaths(root);
  return withAgentLock(paths, async () => {
    const { records } = await new NodeRecords(paths.records).load();
    const host = records[0]?.plan.node.host ?? '';
    const launcher = new DetachedLauncher();
    const nodes = createRegistry({ host, paths, launcher, user: undefined, log });
    await nodes.adopt();
    try {
      return await Promise.all(
        nodes.list().map(async ({ record, supervisor }) => {
          const outcome = await supervisor.stop();
          return `${record.key}: ${outcome === undefined ? 'was not running' : `stopped by ${outcome.by}`}`;
        }),
      );
    } finally {
      nodes.close();
    }
  });
}
