/**
 * Properties search at random on a developer's machine, and find what nobody thought of. Where a machine
 * reads the result (CI=true) they take the same way each time: a change is judged by what it changed.
 * `REDROVER_PROPERTY_SEED=N` takes the way again that a run has printed.
 */
import * as fc from 'fast-check';

const CI_SEED = 20_261_122;

const given = process.env['REDROVER_PROPERTY_SEED'];
const seed = given ? Number(given) : process.env['CI'] === 'true' ? CI_SEED : undefined;

if (seed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
