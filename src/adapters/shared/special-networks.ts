/**
 * Networks of IPv4 that are not in the public internet, multicast included. Blocks that the registry lists as globally reachable (192.31.196.0/24,
 * 192.52.193.0/24, 192.175.48.0/24) are left out.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 */
export const SPECIAL_IPV4: readonly string[] = [
  ..."0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24".split(" "),
  ..."192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4".split(" "),
];

/**
 * Networks of IPv6 that are not in the public internet. Only `2000::/3` is assigned as global unicast, so that all outside of it is here: loopback, IPv4-compatible
 * (`::/96`) and translated (`::ffff:0:0:0/96`), `64:ff9b:1::/48`, `100::/64`, `100:0:0:1::/64`, `5f00::/16`, `fc00::/7`, `fe80::/10`, `fec0::/10`, `ff00::/8`. Within it:
 * IETF protocols (Teredo, ORCHID), documentation (two), 6to4, and what was the 6bone.
 *
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 * @see https://www.iana.org/assignments/ipv6-address-space
 */
export const SPECIAL_IPV6: readonly string[] = "::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 2002::/16 3ffe::/16 3fff::/20".split(" ");

/** Returns the 16 bytes of an IPv6 address that is written rightly, without a zone. */
export function bytesOfIpv6(address: string): readonly number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (high: string | undefined, low: string | undefined) => ((Number(high) << 8) | Number(low)).toString(16);
  const text = dotted === null ? address : `${dotted[1]}${hex(dotted[2], dotted[3])}:${hex(dotted[4], dotted[5])}`;
  const [head = "", tail] = text.split("::");
  const groupsOf = (part: string) => (part === "" ? [] : part.split(":"));
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const groups = [...before, ...new Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill("0"), ...after];
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

const hasPrefix = (bytes: readonly number[], prefix: readonly number[]) => prefix.every((one, index) => bytes[index] === one);
const zeros = (count: number) => new Array<number>(count).fill(0);
const MAPPED = [...zeros(10), 255, 255];
const NAT64 = [0, 0x64, 0xff, 0x9b, ...zeros(8)];
const LOCAL_NAT64 = [0, 0x64, 0xff, 0x9b, 0, 1];
const TRANSLATED = [...zeros(8), 255, 255, 0, 0];
const SIX_TO_FOUR = [0x20, 2];
const TEREDO = [0x20, 1, 0, 0];

/** Returns true for `::ffff:0:0/96`, which sockets treat as IPv4. */
export function isIpv4Mapped(bytes: readonly number[]): boolean {
  return hasPrefix(bytes, MAPPED);
}

/**
 * Returns the addresses of IPv4 that an address of IPv6 carries: mapped (RFC 4291), NAT64 (RFC 6052, 8215), compatible (RFC 4291), translated (RFC 2765), 6to4 (RFC 3056), Teredo
 * (RFC 4380: its server, and the client, which is written with all bits turned). `isOnlyIpv4`: it is nothing else than another way to write it.
 */
export function embeddedIpv4(bytes: readonly number[]): { readonly ipv4: readonly string[]; readonly isOnlyIpv4: boolean } {
  const at = (start: number, turned = 0) =>
    bytes
      .slice(start, start + 4)
      .map((one) => one ^ turned)
      .join(".");
  if (hasPrefix(bytes, MAPPED) || hasPrefix(bytes, NAT64)) return { ipv4: [at(12)], isOnlyIpv4: true };
  const isUnspecifiedOrLoopback = hasPrefix(bytes, zeros(15)) && (bytes[15] ?? 0) <= 1;
  if (hasPrefix(bytes, TRANSLATED) || hasPrefix(bytes, LOCAL_NAT64) || (hasPrefix(bytes, zeros(12)) && !isUnspecifiedOrLoopback))
    return { ipv4: [at(12)], isOnlyIpv4: false };
  if (hasPrefix(bytes, SIX_TO_FOUR)) return { ipv4: [at(2)], isOnlyIpv4: false };
  if (hasPrefix(bytes, TEREDO)) return { ipv4: [at(4), at(12, 255)], isOnlyIpv4: false };
  return { ipv4: [], isOnlyIpv4: false };
}
