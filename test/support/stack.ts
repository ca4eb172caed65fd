/** A controller with agents for one test file, on addresses and in a directory of its own. */
import { LocalStack, findPrograms } from '@redrover/cli';
import type { Api } from '@redrover/cli';
import { layoutFromProto, nodeObservationFromProto } from '@redrover/wire';
import type { Layout, NodeObservation } from '@redrover/core';
import { execa } from 'execa';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { stringify } from 'yaml';

import { uploadRelease, type BuiltRelease } from './built-release.ts';
import { cacheDirectory, distDirectory } from './paths.ts';
import { createScratchDirectory } from './scratch.ts';
import type { Scratch } from './scratch.ts';

export interface TestStackOptions {
  /** Default 3, named h1, h2, … */
  readonly hosts?: number;
  /** The zone of each host, by order; default: hosts have no such label. */
  readonly zones?: readonly string[];
  /** Whether the controller knows the release that was built for the tests. Default true. */
  readonly withRelease?: boolean;
  /** Default: the one that most tests use. */
  readonly release?: BuiltRelease;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

interface StackParts {
  readonly hosts: readonly { readonly name: string }[];
  readonly release: BuiltRelease;
}

// A creation with a build from the cache takes seconds; a busy machine may need many times that.
const CLI_TIMEOUT_MS = 110_000;

export class TestStack {
  readonly stack: LocalStack;
  readonly release: string;
  readonly hostNames: readonly string[];
  readonly #scratch: Scratch;

  private constructor(stack: LocalStack, scratch: Scratch, parts: StackParts) {
    this.stack = stack;
    this.#scratch = scratch;
    this.hostNames = parts.hosts.map(({ name }) => name);
    this.release = parts.release.name;
  }

  static async start(options: TestStackOptions = {}): Promise<TestStack> {
    const scratch = await createScratchDirectory('stack');
    // A network of its own below 127: no two stacks, nor anything else, share an address.
    const network = `127.${randomInt(64, 255)}.${randomInt(0, 256)}`;
    const hosts = Array.from({ length: options.hosts ?? 3 }, (_, index) => ({
      name: `h${index + 1}`,
      address: `${network}.${index + 11}`,
      labels: zoneLabel(options.zones?.[index]),
    }));
    const stack = new LocalStack({
      directory: scratch.path,
      programs: findPrograms(distDirectory),
      hosts,
      cacheDirectory: cacheDirectory(),
    });
    const release = options.release ?? inject('release');
    const started = new TestStack(stack, scratch, { hosts, release });
    try {
      await stack.start();
      if (options.withRelease ?? true) {
        await started.withApi((api) => uploadRelease(api, release));
      }
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  get directory(): string {
    return this.#scratch.path;
  }

  /** Stops every process and removes every file, whatever the test has left behind. */
  async stop(): Promise<void> {
    await this.stack.stop();
    await this.#scratch.remove();
  }

  async withApi<T>(action: (api: Api) => Promise<T>): Promise<T> {
    const api = this.stack.connect();
    try {
      return await action(api);
    } finally {
      api.close();
    }
  }

  /** Runs `redrover` against this stack; never rejects for its exit code. */
  async redrover(args: readonly string[], options: CliOptions = {}): Promise<CommandResult> {
    const result = await execa(process.execPath, [join(distDirectory, 'redrover.mjs'), ...args], {
      reject: false,
      timeout: CLI_TIMEOUT_MS,
      input: options.input ?? '',
      env: { ...this.environment(), ...options.env },
    });
    const { exitCode = -1, stdout, stderr } = result;
    return { exitCode, stdout, stderr };
  }

  /** Like `redrover`, with the result read as JSON. Throws unless it exits with 0 or 2. */
  async redroverJson<T>(args: readonly string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.redrover([...args, '-o', 'json']);
    if (exitCode !== 0 && exitCode !== 2) {
      throw new Error(`redrover ${args.join(' ')} exited with ${exitCode}: ${stderr}`);
    }
    return JSON.parse(stdout) as T;
  }

  /** What makes the command line find this stack and nothing of the user's own. */
  environment(): NodeJS.ProcessEnv {
    return {
      REDROVER_CONFIG: join(this.directory, 'config.yaml'),
      REDROVER_CONTROLLER: this.stack.endpoints().api,
      REDROVER_TOKEN_FILE: this.stack.paths.apiToken,
      NO_COLOR: '1',
    };
  }

  /** Writes a spec file: 3 + 3 nodes of the release under test, changed as wanted. */
  async writeSpec(fields: Readonly<Record<string, unknown>>): Promise<string> {
    const spec = { release: this.release, shards: 3, replicas: 1, ...fields };
    return this.writeFile(`${String(fields['name'])}.yaml`, stringify(spec));
  }

  async writeFile(name: string, text: string): Promise<string> {
    const directory = join(this.directory, 'files');
    await mkdir(directory, { recursive: true });
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  }

  async credentials(cluster: string): Promise<Credentials> {
    return this.redroverJson<Credentials>(['cluster', 'credentials', cluster]);
  }

  async layout(cluster: string): Promise<Layout> {
    const { layout } = await this.withApi((api) => api.clusters.getCluster({ cluster }));
    if (layout === undefined) throw new Error(`${cluster} has no layout`);
    return layoutFromProto(layout);
  }

  async observations(cluster: string): Promise<NodeObservation[]> {
    const { nodes } = await this.withApi((api) => api.clusters.getCluster({ cluster }));
    return nodes.map((node) => nodeObservationFromProto(node));
  }

  logOf(program: string): string {
    return readFileSync(this.stack.paths.log(program), 'utf8');
  }
}

function zoneLabel(zone: string | undefined): Readonly<Record<string, string>> {
  return zone === undefined ? {} : { zone };
}
