import { expect, it } from "vitest";
import { z } from "zod";
import { pipeline } from "../../src/index.js";
import { service } from "../support/service.js";

it("names every parameter that is wrong, with a pointer", async () => {
  const schema = z.strictObject({ day: z.iso.date(), shops: z.array(z.object({ "a/b": z.number() })).default([]) });
  const running = await service([pipeline({ id: "sales", parameters: schema, run: () => {} })], { defaultPipeline: "sales" });
  const { status, json } = await running.ask(
    "POST",
    "/api/v1/trigger/manual",
    JSON.stringify({ parameters: { day: "yesterday", shops: [{ "a/b": "x" }], colour: "red" } }),
  );
  expect([status, json.code]).toEqual([422, "INVALID_PARAMETERS"]);
  const { errors } = json as { errors: { pointer: string; detail: string }[] };
  expect(errors.map(({ pointer }) => pointer).sort()).toEqual(["/parameters/colour", "/parameters/day", "/parameters/shops/0/a~1b"]);
  for (const { detail } of errors) expect(detail).not.toBe("");
  await running.close();
});
