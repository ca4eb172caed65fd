/** Lets a call in only with the token of its listener: `authorization: Bearer <token>`. */
import { createHash, timingSafeEqual } from 'node:crypto';

import { Metadata } from '@grpc/grpc-js';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { RedroverError } from '@redrover/core';

import type { Tokens } from '../lifecycle/data-directory.ts';
import { TOKENS } from '../tokens.ts';

abstract class TokenGuard implements CanActivate {
  readonly #digest: Buffer;
  readonly #hint: string;

  /** `hint` says where the right token is found. */
  constructor(token: string, hint: string) {
    this.#digest = digestOf(token);
    this.#hint = hint;
  }

  canActivate(context: ExecutionContext): boolean {
    const given = bearerToken(metadataOf(context.getArgs()));
    if (given === undefined) {
      throw new RedroverError('unauthenticated', `the call carries no token; ${this.#hint}`);
    }
    // Digests have one length, which timingSafeEqual needs, and tell nothing of the token's.
    if (!timingSafeEqual(digestOf(given), this.#digest)) {
      throw new RedroverError('unauthenticated', `the token is not the right one; ${this.#hint}`);
    }
    return true;
  }
}

@Injectable()
export class ApiTokenGuard extends TokenGuard {
  constructor(@Inject(TOKENS) tokens: Tokens) {
    super(tokens.api, "it is in the file api-token of the controller's data directory");
  }
}

@Injectable()
export class AgentTokenGuard extends TokenGuard {
  constructor(@Inject(TOKENS) tokens: Tokens) {
    super(tokens.agent, "it is in the file agent-token of the controller's data directory");
  }
}

/** Unary and server-streaming handlers get (request, metadata, call), the others the call alone. */
function metadataOf(args: readonly unknown[]): Metadata | undefined {
  const [first, second] = args;
  if (second instanceof Metadata) return second;
  return (first as { metadata?: Metadata } | undefined)?.metadata;
}

function bearerToken(metadata: Metadata | undefined): string | undefined {
  const value = metadata?.get('authorization')[0];
  return /^Bearer (\S+)$/.exec(String(value ?? ''))?.[1];
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
