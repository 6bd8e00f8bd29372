import { fileSensor } from "../../adapters/sensors/file.js";
import { httpSensor } from "../../adapters/sensors/http.js";
import { pipelineSensor } from "../../adapters/sensors/pipeline.js";
import { changedRowsSensor, sqlSensor } from "../../adapters/sensors/sql.js";
import type { AnySensor } from "../../ports/sensor.js";
import { webhookSensor } from "../../trigger/sensor.js";
import type { Path } from "../diagnostic.js";
import type { SensorConfig } from "../schema/sensors.js";
import { type BuildContext, camel, OWN_ADDRESSES } from "./context.js";

export function sensorOf(
  context: BuildContext,
  path: Path,
  { file, http, sql, changed_rows, pipeline, webhook, ...rest }: SensorConfig,
): AnySensor | undefined {
  const timing = camel(rest);
  if (file !== undefined)
    return context.make([...path, "file"], () => fileSensor({ ...timing, ...camel(file), path: context.file(file.path) }));
  if (http !== undefined) return context.make([...path, "http"], () => httpSensor({ ...OWN_ADDRESSES, ...timing, ...camel(http) }));
  if (sql !== undefined) return context.make([...path, "sql"], () => sqlSensor({ ...OWN_ADDRESSES, ...timing, ...camel(sql) }));
  if (changed_rows !== undefined)
    return context.make([...path, "changed_rows"], () => changedRowsSensor({ ...OWN_ADDRESSES, ...timing, ...camel(changed_rows) }));
  if (pipeline !== undefined) {
    context.checkPipelines([...path, "pipeline", "pipeline"], pipeline.pipeline);
    return context.make([...path, "pipeline"], () => pipelineSensor({ ...timing, ...camel(pipeline) }));
  }
  return context.make([...path, "webhook"], () => webhookSensor({ sources: webhook?.sources ?? [] }));
}
