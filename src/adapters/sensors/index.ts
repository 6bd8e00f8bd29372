export {
  type AnySensor,
  type Sensor,
  type SensorEvent,
  type SensorPollContext,
  type SensorPollResult,
  sensor,
  webhookSensor,
} from "../../trigger/sensor.js";
export type { AddressOptions, PrivateNetworks } from "../shared/address.js";
export type { SqlRow, SqlSource } from "../shared/sql-source.js";
export { type FileSensorOptions, fileSensor } from "./file.js";
export { type HttpSensorOptions, httpSensor } from "./http.js";
export { type PatternSensorOptions, patternSensors } from "./patterns.js";
export { type Ended, type PipelineSensorOptions, pipelineSensor } from "./pipeline.js";
export { type ChangedRowsOptions, changedRowsSensor, type SqlSensorOptions, sqlSensor } from "./sql.js";
