import { CLOCK_FAULTS } from "./clock.js";
import type { Fault } from "./fault.js";
import { NETWORK_FAULTS } from "./network.js";
import { POSTGRES_FAULTS } from "./postgres.js";
import { PROCESS_FAULTS } from "./process.js";
import { REDIS_FAULTS } from "./redis.js";
import { SQLITE_FAULTS } from "./sqlite.js";

/** Every fault there is. */
export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...POSTGRES_FAULTS,
  ...SQLITE_FAULTS,
  ...CLOCK_FAULTS,
  ...REDIS_FAULTS,
];
