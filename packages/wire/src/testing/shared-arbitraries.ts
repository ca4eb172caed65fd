/** Random values that arbitraries of several parts are made of. */
import type * as core from '@redrover/core';
import { nodeKey } from '@redrover/core';
import * as fc from 'fast-check';
import { GRPC_STATUS_BY_CODE } from '../grpc/status.ts';

export const errorCode = fc.constantFrom(...(Object.keys(GRPC_STATUS_BY_CODE) as core.ErrorCode[]));
export const nodeRole = fc.constantFrom<core.NodeRole[]>('master', 'replica');
export const product = fc.constantFrom<core.Product[]>('redis', 'valkey');

/** Adds the key that host and port make. */
export function keyed<T extends { readonly host: string; readonly port: number }>(
  node: fc.Arbitrary<T>,
): fc.Arbitrary<T & { readonly key: string }> {
  return node.map((fields) => ({ ...fields, key: nodeKey(fields.host, fields.port) }));
}
