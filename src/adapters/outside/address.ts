import type { LookupAddress, LookupOptions } from "node:dns";
import type { BlockList, LookupFunction } from "node:net";
import { builtin } from "../../base/builtin.js";
import { HeadgateError } from "../../base/errors.js";

/** Whether addresses of this machine and of private networks may be asked: all, those of some networks (`"10.0.0.0/8"`), or none. */
export type PrivateNetworks = boolean | readonly string[];

/** Who may be asked. */
export interface AddressOptions {
  /** Addresses of this machine and of private networks that may be asked. Default none: what is asked may come from a configuration that others can change. */
  allowPrivateNetworks?: PrivateNetworks;
}

/** What is not in the public internet. @see https://www.iana.org/assignments/iana-ipv4-special-registry @see https://www.iana.org/assignments/iana-ipv6-special-registry */
const SPECIAL = [
  ..."0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24".split(" "),
  ..."192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4".split(" "),
  ..."::/127 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/10 ff00::/8".split(" "),
];

let specialNetworks: BlockList | null = null;

/** @throws HeadgateError `INVALID_ARGUMENT` for what is no network such as `10.0.0.0/8` */
function networks(list: readonly string[]): BlockList {
  const { BlockList, isIP } = builtin("node:net");
  const blocks = new BlockList();
  for (const one of list) {
    const [address = "", bits] = one.split("/");
    const version = isIP(address);
    const prefix = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
    if (version === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > (version === 4 ? 32 : 128))
      throw new HeadgateError("INVALID_ARGUMENT", `allowPrivateNetworks: ${JSON.stringify(one)} is no network such as 10.0.0.0/8`);
    blocks.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
  }
  return blocks;
}

/** Says which addresses may be asked. */
export class AddressRule {
  readonly #allowed: BlockList | "all" | null;

  constructor({ allowPrivateNetworks = false }: AddressOptions) {
    this.#allowed = typeof allowPrivateNetworks === "boolean" ? (allowPrivateNetworks ? "all" : null) : networks(allowPrivateNetworks);
  }

  allows(address: string): boolean {
    if (this.#allowed === "all") return true;
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
    const family = builtin("node:net").isIP(mapped) === 4 ? "ipv4" : "ipv6";
    specialNetworks ??= networks(SPECIAL);
    if (!specialNetworks.check(mapped, family)) return true;
    return this.#allowed?.check(mapped, family) ?? false;
  }

  /** @throws HeadgateError `ADDRESS_REFUSED` for a host written as an address that may not be asked */
  check(host: string): void {
    const address = host.startsWith("[") ? host.slice(1, -1) : host;
    if (builtin("node:net").isIP(address) !== 0 && !this.allows(address)) throw refused(host);
  }

  /** Finds a host's addresses, as sockets ask for them, and gives only those that may be asked: a name cannot change its mind in between. */
  readonly lookup: LookupFunction = (host, options, done) => {
    builtin("node:dns").lookup(host, { ...(options as LookupOptions), all: true }, (error, found) => {
      if (error !== null) return done(error, "", 0);
      const allowed = (found as LookupAddress[]).filter(({ address }) => this.allows(address));
      const [first] = allowed;
      if (first === undefined) return done(refused(host), "", 0);
      if ((options as LookupOptions).all === true) (done as unknown as (error: null, found: LookupAddress[]) => void)(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

function refused(host: string): HeadgateError {
  return new HeadgateError("ADDRESS_REFUSED", `${host} is an address of a private network; allowPrivateNetworks lets it be asked`, {
    details: { host },
  });
}
