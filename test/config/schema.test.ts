import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configSchema } from "../../src/config/index.js";
import { STARTING_FILE } from "../../src/service/template.js";
import { problemsOf } from "../support/config-file.js";

const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
const isValid = ajv.compile(configSchema());
const example = (name: string) => readFileSync(new URL(`../../examples/service/${name}`, import.meta.url), "utf8");

describe("the JSON Schema of the configuration, as somebody else checks with it", () => {
  it.each([
    ["the example of a service", example("schedule_config.yaml")],
    ["what init writes", STARTING_FILE],
  ])("accepts %s", (_, text) => {
    const data = parse(text);
    expect([isValid(data), isValid.errors]).toEqual([true, null]);
  });

  it.each([
    ["an unknown key", "pipelines: { a: { patern: x } }"],
    ["an unknown key of an environment", "pipelines: {}\nenvironments: { production: { pipelines: { a: { patern: x } } } }"],
    ["a wrong kind", "pipelines: { a: { execution: { retries: many } } }"],
    ["a word that is not allowed", "pipelines: { a: { on_block: wait } }"],
    ["no pipelines", "time_zone: UTC"],
  ])("refuses %s, as loading does", (_, text) => {
    expect(isValid(parse(text))).toBe(false);
    if (!text.includes("environments")) expect(problemsOf(text)).not.toEqual([]);
  });

  it("is of draft 2020-12", () => {
    expect(configSchema()).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", title: expect.any(String) });
  });
});
