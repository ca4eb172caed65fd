/** Rule 4: data and bus ports are valid, free, and distinct on each address. */
import type { Finding } from '../model/finding.ts';
import type { Host } from '../model/host.ts';
import type { Layout, LayoutNode } from '../model/layout.ts';

const MAX_PORT = 65_535;

const REMEDY = 'Choose another port, or another placement.basePort.';

export function lintPorts(layout: Layout, hosts: readonly Host[]): Finding[] {
  return [...lintRange(layout), ...lintUsed(layout, hosts), ...lintDistinct(layout)];
}

function lintRange(layout: Layout): Finding[] {
  return layout.nodes
    .filter((node) => !isPort(node.port) || !isPort(node.busPort))
    .map((node) =>
      finding('port-valid', node, {
        message: `Port ${node.port} or bus port ${node.busPort} is not in 1 to ${MAX_PORT}.`,
      }),
    );
}

function lintUsed(layout: Layout, hosts: readonly Host[]): Finding[] {
  const used = new Map(hosts.map((host) => [host.name, new Set(host.usedPorts)]));
  return layout.nodes.flatMap((node) =>
    portsOf(node)
      .filter(({ port }) => used.get(node.host)?.has(port))
      .map(({ port, use }) =>
        finding('port-free', node, {
          message: `Port ${port} on ${node.host}, ${use} of ${node.key}, is in use by another.`,
        }),
      ),
  );
}

/** By address, as two hosts may by mistake be enrolled with the same one. */
function lintDistinct(layout: Layout): Finding[] {
  const claimed = new Map<string, string>();
  return layout.nodes.flatMap((node) =>
    portsOf(node).flatMap(({ port, use }) => {
      const place = JSON.stringify([node.address, port]);
      const other = claimed.get(place);
      claimed.set(place, `${use} of ${node.key}`);
      if (other === undefined) return [];
      return [
        finding('port-distinct', node, {
          message: `Port ${port} at ${node.address} is the ${use} of ${node.key} and the ${other}.`,
        }),
      ];
    }),
  );
}

function portsOf(node: LayoutNode): readonly { readonly port: number; readonly use: string }[] {
  return [
    { port: node.port, use: 'port' },
    { port: node.busPort, use: 'bus port' },
  ];
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= MAX_PORT;
}

function finding(rule: string, node: LayoutNode, { message }: { message: string }): Finding {
  return { rule, severity: 'critical', subject: node.key, message, evidence: [], remedy: REMEDY };
}
