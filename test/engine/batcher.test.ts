import { describe, expect, it } from "vitest";
import { Batcher } from "../../src/engine/context/batcher.js";
import { HeadgateError } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";

const away = () => new HeadgateError("STORE_UNAVAILABLE", "the store is away");

/** A store that fails as it is scripted, attempt by attempt, and then answers each request by its double. */
function scripted(...failures: readonly ((requests: readonly number[]) => unknown)[]) {
  const sent: (readonly number[])[] = [];
  const send = async (requests: readonly number[]) => {
    const failure = failures[sent.length]?.(requests) ?? null;
    sent.push(requests);
    if (failure !== null) throw failure;
    return requests.map((one) => one * 2);
  };
  return { sent, send };
}

describe("a patient batcher", () => {
  it("loses no request when the store goes away after an error that nobody foresaw", async () => {
    const clock = fakeClock();
    const unforeseen = () => new Error("something else");
    const { send } = scripted(unforeseen, away, away, away);
    const batcher = new Batcher({ clock }, send);
    const answers = Promise.all([1, 2, 3].map((one) => batcher.add(one)));
    await clock.advance("1m");
    expect(await answers).toEqual([2, 4, 6]);
  });

  it("sends what failed for a reason nobody foresaw again, and lets its neighbours pass meanwhile", async () => {
    const clock = fakeClock();
    let isBroken = true;
    const batcher = new Batcher({ clock }, async (requests: readonly number[]) => {
      if (isBroken && requests.includes(2)) throw new Error("2 is not wanted");
      return requests.map((one) => one * 2);
    });
    const done: number[] = [];
    const all = [1, 2, 3].map((one) => batcher.add(one).then((answer) => done.push(answer)));
    await clock.advance(50);
    expect(done).toEqual([2, 6]);
    isBroken = false;
    await clock.advance("1m");
    await Promise.all(all);
    expect(done).toEqual([2, 6, 4]);
  });

  it("gives up after about a minute what fails for ever, and says why", async () => {
    const clock = fakeClock();
    const batcher = new Batcher({ clock }, async (): Promise<number[]> => {
      throw new Error("never");
    });
    const failed = batcher.add(1).catch((error: Error) => error.message);
    await clock.advance("3m");
    expect(await failed).toBe("never");
  });

  it("lets its neighbours pass when the store is away for one of them alone", async () => {
    const clock = fakeClock();
    let isBroken = true;
    const batcher = new Batcher({ clock }, async (requests: readonly number[]) => {
      if (isBroken && requests.includes(1)) throw away(); // its statement is cancelled each time, say
      return requests.map((one) => one * 2);
    });
    const done: number[] = [];
    const all = [1, 2, 3, 4].map((one) => batcher.add(one).then((answer) => done.push(answer)));
    await clock.advance("1m");
    expect(done.toSorted()).toEqual([4, 6, 8]);
    isBroken = false;
    await clock.advance("1m");
    await Promise.all(all);
    expect(done).toHaveLength(4);
  });

  it("asks a store that is away with one request at a time at most, besides the batch", async () => {
    const clock = fakeClock();
    const sizes: number[] = [];
    const batcher = new Batcher({ clock }, async (requests: readonly number[]): Promise<number[]> => {
      sizes.push(requests.length);
      throw away();
    });
    for (let one = 0; one < 100; one++) void batcher.add(one).catch(() => {});
    await clock.advance("10m");
    expect(sizes.length).toBeLessThan(100);
    batcher.giveUp();
    await clock.settle();
  });

  it("does not send again what the store refuses for its data", async () => {
    const clock = fakeClock();
    const { sent, send } = scripted(
      () => new HeadgateError("STORE_REJECTED", "no"),
      () => new HeadgateError("STORE_REJECTED", "no"),
    );
    await expect(new Batcher({ clock }, send).add(1)).rejects.toMatchObject({ code: "STORE_REJECTED" });
    expect(sent.length).toBeLessThanOrEqual(2);
  });
});
