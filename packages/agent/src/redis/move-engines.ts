/** Which engines for moving slots a server has, asked of the server itself. Choosing one is planning's business. */
import { RedroverError, type MoveEngine, type Product } from '@redrover/core';
import type { RedisCommand } from './node-connection.ts';

/**
 * The reply has one element for each name: nil for a command that the server does not have (Redis
 * command page COMMAND INFO). Both commands of both products, so that one question does for all.
 */
export const ENGINES_QUESTION: RedisCommand = [
  'COMMAND',
  'INFO',
  'cluster|migration',
  'cluster|migrateslots',
];

/**
 * `migrate` first, which every server has. The product counts as well: a command of the same name
 * in the other product need not be the same command.
 */
export function readMoveEngines(reply: unknown, product: Product): readonly MoveEngine[] {
  // Before 7.0 there are no subcommands to ask for; an account may also be forbidden to ask.
  if (reply instanceof RedroverError || !Array.isArray(reply)) return ['migrate'];
  const [migration, migrateSlots] = reply.map(isCommand);
  if (product === 'redis' && migration === true) return ['migrate', 'redis-atomic'];
  if (product === 'valkey' && migrateSlots === true) return ['migrate', 'valkey-atomic'];
  return ['migrate'];
}

function isCommand(element: unknown): boolean {
  return Array.isArray(element) && element.length > 0;
}
