import { setTimeout as wait } from "node:timers/promises";
import type { PostgresServer } from "../servers.js";
import { type Fault, ON_POSTGRES } from "./fault.js";

const BASE = { family: "postgres", on: ON_POSTGRES, aim: "all", aftermathMs: 3_000 } as const;
const SESSIONS = "FROM pg_stat_activity WHERE usename = 'chaos_app'";

function onServer(act: (server: PostgresServer, holdMs: number) => Promise<() => Promise<unknown>>): Fault["inject"] {
  return async ({ postgres }, { holdMs }) => {
    if (postgres === null) throw new Error("there is no PostgreSQL to break");
    const heal = await act(postgres, holdMs);
    return async () => void (await heal());
  };
}

/** Does something to all sessions again and again until it is healed. */
function bursts(statement: string, everyMs: number): Fault["inject"] {
  return onServer(async (server) => {
    let isOver = false;
    const ended = (async () => {
      while (!isOver) {
        await server.query(statement);
        await wait(everyMs);
      }
    })();
    return async () => {
      isOver = true;
      await ended;
    };
  });
}

/** Sets something for the nodes' sessions and ends those there are, so that all have it; takes it back in the same way. */
function setting(set: string, reset: string): Fault["inject"] {
  return onServer(async (server) => {
    const apply = (statement: string) => server.query(statement, `SELECT pg_terminate_backend(pid) ${SESSIONS}`);
    await apply(set);
    return () => apply(reset);
  });
}

export const POSTGRES_FAULTS: readonly Fault[] = [
  {
    ...BASE,
    name: "restart",
    weight: 1,
    holdMs: [100, 1_500],
    inject: onServer(async (server) => {
      await server.halt("fast");
      return () => server.resume();
    }),
  },
  {
    ...BASE,
    name: "crash",
    weight: 2,
    holdMs: [100, 1_500],
    inject: onServer(async (server) => {
      await server.halt("immediate");
      return () => server.resume();
    }),
  },
  {
    ...BASE,
    name: "postmaster killed",
    weight: 1,
    holdMs: [100, 1_500],
    inject: onServer(async (server) => {
      await server.halt("kill");
      return () => server.resume();
    }),
  },
  {
    ...BASE,
    name: "terminated sessions",
    weight: 3,
    holdMs: [50, 1_500],
    inject: bursts(`SELECT pg_terminate_backend(pid) ${SESSIONS}`, 50),
  },
  {
    ...BASE,
    name: "cancelled statements",
    weight: 2,
    holdMs: [50, 1_500],
    inject: bursts(`SELECT pg_cancel_backend(pid) ${SESSIONS}`, 20),
  },
  {
    ...BASE,
    name: "read-only",
    weight: 1,
    holdMs: [300, 2_000],
    inject: setting(
      "ALTER ROLE chaos_app SET default_transaction_read_only = on",
      "ALTER ROLE chaos_app RESET default_transaction_read_only",
    ),
  },
  {
    ...BASE,
    name: "connection limit",
    weight: 1,
    holdMs: [300, 2_000],
    inject: setting("ALTER ROLE chaos_app CONNECTION LIMIT 3", "ALTER ROLE chaos_app CONNECTION LIMIT -1"),
  },
  {
    ...BASE,
    name: "idle timeouts",
    weight: 1,
    holdMs: [300, 2_000],
    inject: setting(
      "ALTER ROLE chaos_app SET idle_in_transaction_session_timeout = '10ms'; ALTER ROLE chaos_app SET idle_session_timeout = '150ms'",
      "ALTER ROLE chaos_app RESET ALL",
    ),
  },
  {
    ...BASE,
    name: "locked table",
    weight: 2,
    holdMs: [200, 2_000],
    inject: async ({ postgres, storeUrl }) => {
      const session = await (postgres as PostgresServer).session();
      const schema = new URL(storeUrl).searchParams.get("schema");
      await session.query(`BEGIN; LOCK TABLE "${schema}".triggers IN ACCESS EXCLUSIVE MODE`);
      return async () => {
        await session.query("ROLLBACK").catch(() => {}); // another fault may have ended the session
        await session.end().catch(() => {});
      };
    },
  },
];
