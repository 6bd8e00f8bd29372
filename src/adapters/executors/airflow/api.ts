import { HeadgateError } from "../../../base/errors.js";
import type { OptionNames } from "../../../base/options.js";
import type { RemoteCall } from "../../../ports/executor.js";
import { secretsOfUrl } from "../../../run/secret-forms.js";
import { AddressRule } from "../../shared/address.js";
import { addressOf, ask, checkUrl } from "../../shared/request.js";

/** Where Airflow is and how it is asked. */
export interface AirflowConnection {
  /** Default: the environment's `AIRFLOW_BASE_URL`. */
  baseUrl?: string;
  /** 2 for Airflow 3, 1 for Airflow 2. Default 2. */
  apiVersion?: 1 | 2;
  username?: string;
  password?: string;
  /** Your own token instead (v2). */
  token?: string;
}

export const AIRFLOW_CONNECTION: OptionNames<AirflowConnection> = {
  baseUrl: true,
  apiVersion: true,
  username: true,
  password: true,
  token: true,
};

/** A response of Airflow. */
export interface AirflowAnswer {
  readonly status: number;
  readonly body: unknown;
  /** In words, when something is wrong. */
  readonly problem: string;
}

/** Airflow's stable REST API, with its authentication: a token that is renewed when it is refused (v2), or basic (v1, RFC 7617). */
export class AirflowApi {
  readonly address: string;
  /** Password and token. */
  readonly secrets: readonly string[];
  readonly #base: string;
  readonly #version: 1 | 2;
  readonly #connection: AirflowConnection;
  /** Executors' addresses come from the host's own code: they are where they are. */
  readonly #rule = new AddressRule({ allowPrivateNetworks: true });
  #token: string | null;

  constructor(connection: AirflowConnection, where: string) {
    const baseUrl = connection.baseUrl ?? process.env.AIRFLOW_BASE_URL;
    if (baseUrl === undefined) throw new HeadgateError("INVALID_ARGUMENT", `${where}: baseUrl is required (or set AIRFLOW_BASE_URL)`);
    const { apiVersion = 2, username, password } = connection;
    if (apiVersion !== 1 && apiVersion !== 2)
      throw new HeadgateError("INVALID_ARGUMENT", `${where}: apiVersion ${apiVersion} must be 1 or 2`);
    if ((username === undefined) !== (password === undefined))
      throw new HeadgateError("INVALID_ARGUMENT", `${where}: username and password must be set together`);
    this.#base = checkUrl(baseUrl, `${where}: baseUrl`).replace(/\/+$/, "");
    this.address = addressOf(baseUrl);
    this.secrets = [password, connection.token, ...secretsOfUrl(baseUrl)].filter((one) => one !== undefined);
    this.#version = apiVersion;
    this.#connection = connection;
    this.#token = connection.token ?? null;
  }

  /** v2 wants the field, if only as null; v1 takes it only with a value. */
  logicalDate(date: string | null): Record<string, string | null> {
    return this.#version === 1 && date === null ? {} : { logical_date: date };
  }

  async ask(method: string, path: string, body: unknown, { signal }: Pick<RemoteCall, "signal">): Promise<AirflowAnswer> {
    const first = await this.#once(method, `/api/v${this.#version}${path}`, body, signal);
    if (first.status !== 401 || this.#version === 1 || this.#connection.username === undefined) return first;
    this.#token = null;
    return this.#once(method, `/api/v${this.#version}${path}`, body, signal);
  }

  health(signal: AbortSignal): Promise<AirflowAnswer> {
    return this.#sent("GET", this.#version === 2 ? "/api/v2/monitor/health" : "/api/v1/health", undefined, {}, signal);
  }

  async #once(method: string, path: string, body: unknown, signal: AbortSignal): Promise<AirflowAnswer> {
    return this.#sent(method, path, body, await this.#credentials(signal), signal);
  }

  async #credentials(signal: AbortSignal): Promise<Record<string, string>> {
    const { username, password } = this.#connection;
    if (this.#version === 1)
      return username === undefined ? {} : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
    if (this.#token === null && username !== undefined) {
      const { status, body, problem } = await this.#sent("POST", "/auth/token", { username, password }, {}, signal);
      const token = (body as { access_token?: unknown } | null)?.access_token;
      if ((status !== 200 && status !== 201) || typeof token !== "string") {
        const isPassing = status === 429 || status >= 500;
        throw new HeadgateError(
          isPassing ? "EXECUTOR_UNAVAILABLE" : "REMOTE_RUN_FAILED",
          `Airflow issued no token (${status}): ${problem}`,
          { details: { status } },
        );
      }
      this.#token = token;
    }
    return this.#token === null ? {} : { authorization: `Bearer ${this.#token}` };
  }

  async #sent(method: string, path: string, body: unknown, headers: Record<string, string>, signal: AbortSignal): Promise<AirflowAnswer> {
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const request = { url: `${this.#base}${path}`, method, headers: { accept: "application/json", ...json, ...headers } };
    try {
      const { status, text } = await ask({ ...request, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }, this.#rule, signal);
      const answer = parsed(text);
      return { status, body: answer, problem: problemOf(answer, text) };
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw new HeadgateError("EXECUTOR_UNAVAILABLE", `Airflow ${(cause as Error).message}`, { cause });
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page, say
  }
}

/** v1 answers as RFC 7807 has it, v2 as FastAPI does. */
function problemOf(answer: unknown, text: string): string {
  const { detail, title } = (answer ?? {}) as { detail?: unknown; title?: unknown };
  const problem =
    typeof detail === "string" ? detail : detail !== undefined ? JSON.stringify(detail) : typeof title === "string" ? title : text;
  return problem.slice(0, 300);
}
