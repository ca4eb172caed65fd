// Entry point of redrover-controller.

import manifest from '../package.json' with { type: 'json' };

process.stdout.write(`redrover-controller ${manifest.version}\n`);
