/**
 * What the host's configuration files say will be in force after the next boot, in the order in
 * which the system itself reads them. Pure.
 */

export interface ConfigFile {
  readonly path: string;
  readonly content: string;
}

/** A value and the file that it comes from. */
export interface ConfiguredValue {
  readonly value: string;
  readonly path: string;
}

/**
 * The last assignment wins. Files must be given in the order of sysctl.d(5): sorted by base name,
 * one of a name, and `/etc/sysctl.conf` last, as `sysctl --system` reads it.
 */
export function configuredSysctl(
  files: readonly ConfigFile[],
  name: string,
): ConfiguredValue | undefined {
  let found: ConfiguredValue | undefined;
  for (const { path, content } of files) {
    for (const line of content.split('\n')) {
      const [, key, value] = /^\s*-?\s*([^=#;\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      // Both separators are allowed, sysctl.d(5).
      if (key?.replaceAll('/', '.') === name && value !== undefined) found = { value, path };
    }
  }
  return found;
}

export interface ConfiguredLimits {
  readonly soft: number;
  readonly hard: number;
  /** Files that set them. */
  readonly paths: readonly string[];
}

/**
 * `nofile` of a login as root or as anybody else; undefined where no file says anything. Files in
 * the order of pam_limits(8): limits.conf, then limits.d sorted. A line for a user beats one for
 * `*`, which does not count for root; among equals the last wins.
 */
export function configuredNofile(
  files: readonly ConfigFile[],
  who: 'root' | 'others',
): ConfiguredLimits | undefined {
  const domain = who === 'root' ? 'root' : '*';
  const found = { soft: undefined as number | undefined, hard: undefined as number | undefined };
  const paths = new Set<string>();
  for (const { path, content } of files) {
    for (const line of content.split('\n')) {
      const [name, type, item, value] = line.replace(/#.*$/, '').trim().split(/\s+/);
      if (name !== domain || item !== 'nofile' || value === undefined) continue;
      const limit = readLimit(value);
      if (limit === undefined) continue;
      if (type === 'soft' || type === '-') found.soft = limit;
      if (type === 'hard' || type === '-') found.hard = limit;
      paths.add(path);
    }
  }
  if (found.soft === undefined || found.hard === undefined) return undefined;
  return { soft: found.soft, hard: found.hard, paths: [...paths] };
}

function readLimit(text: string): number | undefined {
  if (['unlimited', 'infinity', '-1'].includes(text)) return Number.POSITIVE_INFINITY;
  return /^\d+$/.test(text) ? Number.parseInt(text, 10) : undefined;
}

/** What tmpfiles.d(5) writes into the file at boot; of several lines for a path the first wins. */
export function configuredTmpfile(
  files: readonly ConfigFile[],
  target: string,
): ConfiguredValue | undefined {
  for (const { path, content } of files) {
    for (const line of content.split('\n')) {
      const [type, name, , , , , ...argument] = line.trim().split(/\s+/);
      if (name === target && /^w[+!-]*$/.test(type ?? '')) {
        return { value: argument.join(' ').replaceAll('"', ''), path };
      }
    }
  }
  return undefined;
}

/** Whether a script that runs at boot writes the value into the file. */
export function configuredScript(
  files: readonly ConfigFile[],
  target: string,
): ConfiguredValue | undefined {
  const pattern = new RegExp(
    String.raw`^\s*echo\s+["']?(\w+)["']?\s*>+\s*["']?${target.replaceAll('/', String.raw`\/`)}\b`,
    'm',
  );
  for (const { path, content } of files) {
    const value = pattern.exec(content)?.[1];
    if (value !== undefined) return { value, path };
  }
  return undefined;
}

/** `transparent_hugepage=never` on the kernel's own command line. */
export function hugePagesOfCommandLine(commandLine: string): string | undefined {
  return /(?:^|\s)transparent_hugepage=(\w+)/.exec(commandLine)?.[1];
}

/** The chosen one of `always [madvise] never`. */
export function chosenHugePages(content: string): string {
  return /\[(\w+)\]/.exec(content)?.[1] ?? content.trim();
}
