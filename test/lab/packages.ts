/** What a lab needs from the distribution, and installing it where that is possible. */
import { run } from './command.ts';

interface Need {
  /** Name on Debian and its descendants. */
  readonly package: string;
  /** Succeeds where it is there. */
  readonly check: readonly string[];
}

// In the order of how probably a machine lacks them.
const NEEDS: readonly Need[] = [
  { package: 'python3-redis', check: ['/usr/bin/python3', '-c', 'import redis.cluster'] },
  { package: 'gcc', check: ['cc', '--version'] },
  { package: 'iproute2', check: ['ip', '-Version'] },
  { package: 'util-linux', check: ['nsenter', '--version'] },
];

const INSTALL_TIMEOUT_MS = 300_000;

export async function missingPackages(): Promise<string[]> {
  const missing: string[] = [];
  for (const need of NEEDS) if (!(await succeeds(need.check))) missing.push(need.package);
  return missing;
}

/** Installs what is missing, as root and with apt-get. Errors: with what to install by hand. */
export async function installMissingPackages(): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0 || process.getuid?.() !== 0) return;
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  process.stderr.write(`Installing for the lab: ${missing.join(' ')}\n`);
  try {
    for (const args of [['update'], install]) {
      const env = { ...environment(), DEBIAN_FRONTEND: 'noninteractive' };
      await run(['apt-get', '--quiet', ...args], { timeoutMs: INSTALL_TIMEOUT_MS, env });
    }
  } catch (error) {
    throw new Error(`could not install ${missing.join(', ')}: install them by hand`, {
      cause: error,
    });
  }
}

async function succeeds(argv: readonly string[]): Promise<boolean> {
  try {
    return (await run(argv, { reject: false })).exitCode === 0;
  } catch {
    // The program itself is not there.
    return false;
  }
}

function environment(): Record<string, string> {
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
