// Entry point of redrover-agent.

import manifest from '../package.json' with { type: 'json' };

process.stdout.write(`redrover-agent ${manifest.version}\n`);
