/** Who this controller is: its id and its incarnation, which fences off older copies of itself. */
import { randomUUID } from 'node:crypto';

import type { StoreDatabase } from './schema.ts';

const CONTROLLER_ID = 'controller-id';
const INCARNATION = 'incarnation';
/** The highest incarnation that an agent said it had accepted: after a restore it is above ours. */
const HIGHEST_SEEN_INCARNATION = 'highest-seen-incarnation';

export interface ControllerIdentity {
  readonly controllerId: string;
  /** From 1; raised by `takeover` alone. */
  readonly incarnation: number;
}

export class MetaRecords {
  readonly #database: StoreDatabase;

  constructor(database: StoreDatabase) {
    this.#database = database;
  }

  /** Reads the identity; the first call in a new data directory makes it. */
  async readIdentity(): Promise<ControllerIdentity> {
    await this.#database
      .insertInto('meta')
      .values([
        { key: CONTROLLER_ID, value: randomUUID() },
        { key: INCARNATION, value: '1' },
      ])
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return {
      controllerId: (await this.#read(CONTROLLER_ID)) ?? '',
      incarnation: Number(await this.#read(INCARNATION)),
    };
  }

  /** Raises the incarnation above everything that any agent is known to have accepted. */
  async raiseIncarnation(): Promise<ControllerIdentity> {
    const { controllerId, incarnation } = await this.readIdentity();
    const seen = Number((await this.#read(HIGHEST_SEEN_INCARNATION)) ?? 0);
    const raised = Math.max(incarnation, seen) + 1;
    await this.#write(INCARNATION, String(raised));
    return { controllerId, incarnation: raised };
  }

  async noteSeenIncarnation(incarnation: number): Promise<void> {
    const seen = Number((await this.#read(HIGHEST_SEEN_INCARNATION)) ?? 0);
    if (incarnation > seen) await this.#write(HIGHEST_SEEN_INCARNATION, String(incarnation));
  }

  /** Throws if the store cannot be read. */
  async probe(): Promise<void> {
    await this.#read(CONTROLLER_ID);
  }

  async #read(key: string): Promise<string | undefined> {
    const query = this.#database.selectFrom('meta').select('value').where('key', '=', key);
    return (await query.executeTakeFirst())?.value;
  }

  async #write(key: string, value: string): Promise<void> {
    await this.#database
      .insertInto('meta')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
  }
}
