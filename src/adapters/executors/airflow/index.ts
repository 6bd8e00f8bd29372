export { type AirflowExecutorOptions, airflowExecutor, airflowHealth } from "./airflow.js";
export type { AirflowConnection } from "./api.js";
