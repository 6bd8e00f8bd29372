import { expect, it } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import { z as z3 } from "zod/v3";
import { every, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

const make = (parameters: unknown) => () => pipeline({ id: "a", parameters: parameters as z.ZodType, run: () => {} });

it("takes schemas of zod 4, and refuses all others by name", () => {
  expect(make(z.object({}))).not.toThrow();
  const standard = (vendor: string) => ({ "~standard": { version: 1, vendor, validate: () => ({ value: {} }) } });
  for (const [schema, problem] of [
    [standard("valibot"), /got a schema of valibot/],
    [Object.assign(() => {}, standard("arktype")), /got a schema of arktype/],
    [z3.object({}), /got a schema of zod that is not zod 4/],
    [{ type: "object" }, /got an object/],
    [null, /got null/],
    ["object", /got "object"/],
  ] as const) {
    expect(make(schema)).toThrow(expect.objectContaining({ code: "INVALID_PIPELINE", message: expect.stringMatching(problem) }));
    expect(make(schema)).toThrow(/parameters: must be a schema of zod 4/);
  }
});

it("takes schemas of zod/mini too, and checks parameters by them", async () => {
  const parameters = mini.object({ n: mini._default(mini.number(), 1) }) as unknown as z.ZodType;
  const { scheduler } = await harness([pipeline({ id: "a", schedule: every("1h"), parameters, run: () => {} })]);
  await expect(scheduler.trigger("a", { parameters: { n: "x" } })).rejects.toMatchObject({
    code: "INVALID_PARAMETERS",
    details: { problems: [{ path: ["n"] }] },
  });
  expect(await scheduler.trigger("a", { parameters: { n: 2 } })).toMatchObject({ parameters: { n: 2 } });
  await scheduler.stop();
});
