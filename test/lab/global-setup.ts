/** Before tests in labs: the distribution's packages that they need are there, if that can be. */
import { installMissingPackages } from './packages.ts';

export async function setup(): Promise<void> {
  try {
    await installMissingPackages();
  } catch (error) {
    // The tests are skipped then, and say why; the other tests need none of this.
    process.stderr.write(`${String(error)}\n`);
  }
}
