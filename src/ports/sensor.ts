/** The ports through which a pipeline is started from outside; their rules stand with the trigger, which is what comes of them. */
export type { AnySensor, Sensor, SensorEvent, SensorPollContext, SensorPollResult } from "../trigger/sensor.js";
