/**
 * The cables of a lab: which host has which address, which are unplugged, and which pairs do not
 * reach each other. Nobody gets an error for what is cut: packets vanish, as behind a broken switch.
 */
import { run } from './command.ts';
import type { Enclosure } from './enclosure.ts';
import { scriptPath } from './enclosure.ts';
import type { LabHost } from './lab-host.ts';

interface Plug {
  readonly host: LabHost;
  address: string;
  /** Of the switch's port; another for each boot, as the kernel removes old ones in its own time. */
  port: string;
  boots: number;
  isIsolated: boolean;
  /** Names of the hosts that this one does not reach. */
  readonly cut: Set<string>;
}

/**
 * A neighbour that nobody is: what is sent there goes to the switch and to none of its ports'
 * owners. Needs nothing of the kernel that a small one may lack, as packet filters would.
 */
const NOBODY = '02:00:00:00:00:01';

export class Network {
  readonly #enclosure: Enclosure;
  readonly #plugs = new Map<string, Plug>();

  constructor(enclosure: Enclosure) {
    this.#enclosure = enclosure;
  }

  addressOf(host: string): string {
    return this.#plug(host).address;
  }

  /** Joins a host that has just booted to the switch; all that was cut stays cut. */
  async plugIn(host: LabHost, address: string): Promise<void> {
    const former = this.#plugs.get(host.name);
    const boots = (former?.boots ?? 0) + 1;
    const index = former?.port.split('-')[0] ?? `p${this.#plugs.size + 1}`;
    const port = `${index}-${boots}`;
    const { isIsolated = false, cut = new Set<string>() } = former ?? {};
    this.#plugs.set(host.name, { host, address, port, boots, isIsolated, cut });
    // The same for every boot: peers remember the hardware behind an address for a while.
    const hardware = `02:00:0a:4d:00:${Number(index.slice(1)).toString(16).padStart(2, '0')}`;
    const args = [port, `${host.pid}`, address, hardware];
    await this.#enclosure.runOnSwitch(['sh', scriptPath('plug.sh'), ...args]);
    // What it is cut off from is in its namespace, which is new; the others cut off its address.
    if (cut.size > 0) for (const name of [host.name, ...cut]) await this.#applyCuts(name);
    if (!isIsolated) await this.#attach(port);
  }

  /** Takes the cable away, so that the last words of a dying host reach nobody. */
  async unplug(host: string): Promise<void> {
    await this.#enclosure.runOnSwitch(['ip', 'link', 'delete', this.#plug(host).port]);
  }

  /** Cuts one host off from all others; it still sees a carrier. */
  async isolate(host: string): Promise<void> {
    const plug = this.#plug(host);
    plug.isIsolated = true;
    if (!plug.host.isUp) return;
    await this.#enclosure.runOnSwitch(['ip', 'link', 'set', plug.port, 'nomaster']);
  }

  /** Two hosts, or groups of hosts, reach each other no more; all others still do. */
  async partition(one: readonly string[], other: readonly string[]): Promise<void> {
    for (const a of one) {
      for (const b of other) {
        this.#plug(a).cut.add(b);
        this.#plug(b).cut.add(a);
      }
    }
    for (const host of [...one, ...other]) await this.#applyCuts(host);
  }

  /** Ends what isolates or cuts off the host, or all hosts. */
  async heal(host?: string): Promise<void> {
    for (const plug of this.#plugs.values()) {
      const { name } = plug.host;
      if (host !== undefined && host !== name) {
        plug.cut.delete(host);
      } else {
        plug.cut.clear();
        if (plug.isIsolated && plug.host.isUp) {
          await this.#attach(plug.port);
        }
        plug.isIsolated = false;
      }
    }
    for (const plug of this.#plugs.values()) await this.#applyCuts(plug.host.name);
  }

  async #attach(port: string): Promise<void> {
    await this.#enclosure.runOnSwitch(['ip', 'link', 'set', port, 'master', 'switch']);
  }

  async #applyCuts(host: string): Promise<void> {
    const plug = this.#plug(host);
    if (!plug.host.isUp) return;
    const addresses = [...plug.cut].map((name) => this.#plug(name).address);
    const target = ['nsenter', '--target', `${plug.host.pid}`, '--net', '--'];
    await run([...target, 'sh', scriptPath('cut.sh'), NOBODY, ...addresses]);
  }

  #plug(host: string): Plug {
    const plug = this.#plugs.get(host);
    if (plug === undefined) throw new Error(`no host ${host} in this lab`);
    return plug;
  }
}
