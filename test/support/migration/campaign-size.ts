/** How long campaigns are, and which chance they follow; see CONTRIBUTING.md. */
import { randomInt } from 'node:crypto';

/** `REDROVER_CAMPAIGN_KILLS`: of each campaign and engine. */
export function killsWanted(inShort: number): number {
  return Number(process.env['REDROVER_CAMPAIGN_KILLS'] || inShort);
}

/** Campaigns take some minutes a release, so that a normal run leaves them out: `REDROVER_CAMPAIGN_KILLS` asks for them. */
export function areCampaignsWanted(): boolean {
  return (process.env['REDROVER_CAMPAIGN_KILLS'] ?? '') !== '';
}

/** `REDROVER_CAMPAIGN_SEED`: to have the same campaign again. */
export function chooseSeed(): number {
  return Number(process.env['REDROVER_CAMPAIGN_SEED'] || randomInt(1, 2 ** 31));
}

/** A minute for what every campaign needs, and ample time for each kill on a busy machine. */
export function timeoutFor(kills: number): number {
  return 240_000 + kills * 40_000;
}
