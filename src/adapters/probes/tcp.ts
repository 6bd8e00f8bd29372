import { HeadgateError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import type { Health } from "../../gate/conditions/outside.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../gate/probe.js";
import type { Probe } from "../../ports/probe.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";

/** Options of {@link tcpProbe}. */
export interface TcpProbeOptions extends ProbeOptions, AddressOptions {
  /** Name or address of the server. */
  host: string;
  /** 1 to 65,535. */
  port: number;
}

/**
 * Returns true if something takes connections at a port.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * healthy({ probes: [tcpProbe({ host: "db.example", port: 5432 })] });
 */
export function tcpProbe(options: TcpProbeOptions): Probe<Health> {
  checkOptions(options, { ...PROBE_OPTIONS, ...ADDRESS_OPTIONS, host: true, port: true }, "tcpProbe");
  const { host, port } = options;
  if (typeof host !== "string" || host === "") throw new HeadgateError("INVALID_ARGUMENT", "tcpProbe: host is required");
  checkInteger(port, { least: 1, most: 65_535 }, "port", invalidArgument("tcpProbe"));
  const rule = new AddressRule(options);
  return {
    name: options.name ?? `${host}:${port}`,
    ...policyOf(options, "tcpProbe"),
    measure: ({ signal }) => taken(host, port, rule, signal),
  };
}

function taken(host: string, port: number, rule: AddressRule, signal: AbortSignal): Promise<Health> {
  rule.check(host);
  return new Promise((resolve, reject) => {
    const socket = lazyModule("node:net").connect({ host, port, signal, lookup: rule.lookup });
    socket.once("connect", () => {
      socket.destroy();
      resolve({ isHealthy: true, reason: "accepts connections" });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason);
      else if (error instanceof HeadgateError) reject(error);
      else reject(new HeadgateError("PROBE_FAILED", `is not responding (${error.code ?? error.message})`, { cause: error }));
    });
  });
}
