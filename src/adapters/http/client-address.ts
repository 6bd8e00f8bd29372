import { isIP, isIPv4, isIPv6 } from "node:net";

/** Writes an IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) as IPv4, and leaves the zone of a link-local one out. */
export function plainAddress(address: string): string {
  const [bare = ""] = address.split("%");
  const mapped = /^(?:0{0,4}:){2,5}ffff:(\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{1,4}:[\da-f]{1,4})$/i.exec(bare)?.[1];
  if (mapped === undefined || !isIPv6(bare)) return bare;
  if (isIPv4(mapped)) return mapped;
  const [high = 0, low = 0] = mapped.split(":").map((part) => Number.parseInt(part, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** An address as a proxy writes it into `X-Forwarded-For`, perhaps with brackets and a port, which must not make it another one; `null` for what is none. */
export function forwardedAddress(text: string): string | null {
  const bare = /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const plain = plainAddress(bare);
  return isIP(plain) === 0 ? null : plain;
}

/**
 * The key by which requests and connections of an address are counted: an IPv4 address, or the /64 of an IPv6 address, which is what one host or household gets.
 */
export function addressKey(address: string): string {
  const plain = plainAddress(address).toLowerCase();
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const parts = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const behind = tail === "" ? [] : tail.split(":");
    const length = behind.length + (behind.at(-1)?.includes(".") === true ? 1 : 0);
    while (parts.length + length < 8) parts.push("0");
    parts.push(...behind);
  }
  const network = Array.from({ length: 4 }, (_, index) => Number.parseInt(parts[index] ?? "0", 16).toString(16));
  return `${network.join(":")}::/64`;
}
