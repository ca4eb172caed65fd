/** Reads what apt prints of its signed index of sources. Pure. */

export interface AptArchive {
  /** The package's own version with epoch and revision, for example `5:7.0.15-1~deb12u7`. */
  readonly packageVersion: string;
  /** The version of the project, for example `7.0.15`. */
  readonly version: string;
  readonly fileName: string;
  readonly sha256: string;
}

/** Reads `apt-cache showsrc`: the stanzas of the signed source index. */
export function parseSourceIndex(text: string, name: string): AptArchive[] {
  return text.split(/\n\s*\n/).flatMap((stanza): AptArchive[] => {
    const packageVersion = /^Version: (\S+)$/m.exec(stanza)?.[1];
    const isWanted = new RegExp(`^Package: ${name.replaceAll(/[.+]/g, String.raw`\$&`)}$`, 'm');
    if (packageVersion === undefined || !isWanted.test(stanza)) return [];
    const digests = /^Checksums-Sha256:\s*\n((?: .*\n?)+)/m.exec(stanza)?.[1] ?? '';
    // Not `.orig-<component>.tar`, and not the distribution's own `.debian.tar`.
    const [, sha256, fileName] =
      /^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.[a-z0-9]+)$/m.exec(digests) ?? [];
    if (sha256 === undefined || fileName === undefined) return [];
    return [{ packageVersion, version: upstreamVersion(packageVersion), fileName, sha256 }];
  });
}

/** `5:7.0.15-1~deb12u7` → `7.0.15`, `1:8.1.1+dfsg1-3` → `8.1.1` (Debian policy, 5.6.12). */
function upstreamVersion(packageVersion: string): string {
  return packageVersion
    .replace(/^\d+:/, '')
    .replace(/-[^-]*$/, '')
    .replace(/[~+].*$/, '');
}
