import type { LookupAddress, LookupOptions } from "node:dns";
import type { BlockList, LookupFunction } from "node:net";
import { HeadgateError, quote } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import type { OptionNames } from "../../base/options.js";
import { bytesOfIpv6, embeddedIpv4, isIpv4Mapped, SPECIAL_IPV4, SPECIAL_IPV6 } from "./special-networks.js";

/** True if addresses of this machine and of private networks may be asked: all, those of some networks (`"10.0.0.0/8"`), or none. */
export type PrivateNetworks = boolean | readonly string[];

/** Addresses that may be accessed. */
export interface AddressOptions {
  /** Addresses of this machine and of private networks that may be asked. Default none: what is asked may come from a configuration that others can change. */
  allowPrivateNetworks?: PrivateNetworks;
}

/** Networks of both versions, kept apart: Node's own list takes IPv4 for a part of `::/0`. */
interface Networks {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

let special: Networks | null = null;

/** @throws HeadgateError `INVALID_ARGUMENT` for text that is not a network such as `10.0.0.0/8` */
function networks(list: readonly string[]): Networks {
  const { BlockList, isIP } = lazyModule("node:net");
  const made: Networks = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const one of list) {
    const [address = "", bits] = String(one).split("/");
    const version = isIP(address);
    const prefix = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
    if (version === 0 || address.includes("%") || !Number.isInteger(prefix) || prefix < 0 || prefix > (version === 4 ? 32 : 128))
      throw new HeadgateError(
        "INVALID_ARGUMENT",
        `allowPrivateNetworks: ${quote(one)} is not a network in CIDR notation, such as 10.0.0.0/8`,
      );
    if (version === 6 && prefix >= 96 && isIpv4Mapped(bytesOfIpv6(address)))
      throw new HeadgateError(
        "INVALID_ARGUMENT",
        `allowPrivateNetworks: ${quote(one)}: write IPv4 networks in IPv4 notation, such as 10.0.0.0/8`,
      );
    if (version === 4) made.ipv4.addSubnet(address, prefix, "ipv4");
    else made.ipv6.addSubnet(address, prefix, "ipv6");
  }
  return made;
}

export const ADDRESS_OPTIONS: OptionNames<AddressOptions> = { allowPrivateNetworks: true };

/** Says which addresses may be asked. */
export class AddressRule {
  readonly #allowed: Networks | "all" | null;

  constructor({ allowPrivateNetworks = false }: AddressOptions) {
    this.#allowed = typeof allowPrivateNetworks === "boolean" ? (allowPrivateNetworks ? "all" : null) : networks(allowPrivateNetworks);
  }

  /** Everything may be asked, sockets of this machine too. */
  get isOpen(): boolean {
    return this.#allowed === "all";
  }

  /** An IPv6 address that carries one of IPv4 is no way around the rule for that one. */
  allows(address: string): boolean {
    if (this.#allowed === "all") return true;
    const plain = address.replace(/%.*$/, "");
    const version = lazyModule("node:net").isIP(plain);
    if (version === 4) return this.#allowsOne(plain, "ipv4");
    if (version !== 6) return false;
    const { ipv4, isOnlyIpv4 } = embeddedIpv4(bytesOfIpv6(plain));
    if (!ipv4.every((one) => this.#allowsOne(one, "ipv4"))) return false;
    return isOnlyIpv4 || this.#allowsOne(plain, "ipv6");
  }

  #allowsOne(address: string, family: "ipv4" | "ipv6"): boolean {
    special ??= networks([...SPECIAL_IPV4, ...SPECIAL_IPV6]);
    if (!special[family].check(address, family)) return true;
    return this.#allowed !== null && this.#allowed !== "all" && this.#allowed[family].check(address, family);
  }

  /** @throws HeadgateError `ADDRESS_REFUSED` for a host written as an address that may not be asked */
  check(host: string): void {
    const address = host.startsWith("[") ? host.slice(1, -1) : host;
    if (lazyModule("node:net").isIP(address) !== 0 && !this.allows(address)) throw refused(host);
  }

  /** Finds a host's addresses, as sockets ask for them, and gives only those that may be asked: a name cannot change its mind in between. */
  readonly lookup: LookupFunction = (host, options, done) => {
    lazyModule("node:dns").lookup(host, { ...(options as LookupOptions), all: true }, (error, found) => {
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
  return new HeadgateError(
    "ADDRESS_REFUSED",
    `${host} is an address in a private network; to permit requests to it, set allowPrivateNetworks (allow_private_networks in a configuration file, under security for dependencies set at run time)`,
    {
      details: { host },
    },
  );
}
