// Entry point of redrover.

import manifest from '../package.json' with { type: 'json' };

process.stdout.write(`redrover ${manifest.version}\n`);
