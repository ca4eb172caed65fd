// Run by test/integration/tuning inside namespaces of its own: `check` or `tune`, and prints the
// items as JSON. Here and not there, so that it needs nothing of the agent but tuning and starts fast.
import { applyTuning, checkTuning } from '../apply.ts';

const items = process.argv[2] === 'tune' ? await applyTuning() : await checkTuning();
process.stdout.write(JSON.stringify(items));
