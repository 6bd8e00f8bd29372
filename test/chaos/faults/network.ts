import type { FaultyNetwork } from "../faulty-network.js";
import { type Fault, type Hit, ON_POSTGRES } from "./fault.js";

/** The network between nodes and PostgreSQL, each through a proxy. */
const BASE = { family: "network", on: ON_POSTGRES, holdMs: [300, 2_500], aim: "any", aftermathMs: 3_000 } as const;

function breaking(act: (proxy: FaultyNetwork, hit: Hit) => void): Fault["inject"] {
  return async ({ proxies }, hit) => {
    const struck = hit.slots.flatMap((slot) => proxies[slot] ?? []);
    for (const proxy of struck) act(proxy, hit);
    return async () => {
      for (const proxy of struck) proxy.heal();
    };
  };
}

export const NETWORK_FAULTS: readonly Fault[] = [
  { ...BASE, name: "reset", weight: 2, inject: breaking((proxy) => proxy.reset()) },
  { ...BASE, name: "refuse", weight: 2, inject: breaking((proxy) => proxy.refuse()) },
  { ...BASE, name: "stall", weight: 3, inject: breaking((proxy) => proxy.stall()) },
  { ...BASE, name: "delay", weight: 2, sizes: [20, 100, 400], inject: breaking((proxy, { size }) => proxy.delay(size)) },
  { ...BASE, name: "half-close to the server", weight: 1, inject: breaking((proxy) => proxy.halfClose("server")) },
  { ...BASE, name: "half-close to the node", weight: 1, inject: breaking((proxy) => proxy.halfClose("client")) },
  // answers never come: what was in flight is given up after the store's own limit of 20 s
  { ...BASE, name: "silence", weight: 2, aim: "one", aftermathMs: 25_000, inject: breaking((proxy) => proxy.silence()) },
];
