// Runs inside the namespaces that the test made: `check` or `tune`, and prints the items as JSON.
import { applyTuning, checkTuning } from '../../../packages/agent/src/host/tuning/apply.ts';

const items = process.argv[2] === 'tune' ? await applyTuning() : await checkTuning();
process.stdout.write(JSON.stringify(items));
