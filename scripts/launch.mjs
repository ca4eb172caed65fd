// What the three bins (redrover, redrover-agent, redrover-controller) share: build the bundle if
// this checkout has none yet, then run it under Node 24, whichever Node the bin was started with.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { findNode24, isNode24, repositoryRoot, runInForeground } from './node24.mjs';

export async function launch(bundleName) {
  const bundle = join(repositoryRoot, 'dist', bundleName);
  const node = findNode24();
  if (node === undefined) {
    process.stderr.write(
      'Node 24 is not installed here yet: run `npm ci` in the checkout first.\n',
    );
    process.exit(1);
  }
  if (!existsSync(bundle)) {
    // Standard output belongs to the program that is being launched.
    const build = join(repositoryRoot, 'scripts', 'build.mjs');
    const code = await runInForeground(node, [build], { stdio: ['ignore', 2, 2] });
    if (code !== 0) process.exit(code);
  }
  if (isNode24()) {
    process.argv[1] = bundle;
    await import(pathToFileURL(bundle).href);
  } else {
    process.exit(await runInForeground(node, [bundle, ...process.argv.slice(2)]));
  }
}
