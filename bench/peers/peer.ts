export const URL = process.env.HEADGATE_TEST_DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

/** A queue on PostgreSQL, driven through its public API. */
export interface Peer {
  readonly name: string;
  /** Its schema, dropped before and after. */
  readonly schema: string;
  /** What its figures contain that the others' do not, or the other way round. */
  readonly remark: string;
  /** Accepts one job; `at` comes back when it runs. */
  add(at?: number): Promise<unknown>;
  addBulk(count: number): Promise<unknown>;
  /** Begins to run what waits; every job that runs tells its `at`. */
  work(onRun: (at: number | undefined) => void): Promise<unknown>;
  close(): Promise<unknown>;
}
