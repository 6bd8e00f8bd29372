/** The ports through which a pipeline is started from outside; their rules stand with the trigger, which is what comes of them. */
export type { AnySensor, Sensor, SensorAnswer, SensorEvent, SensorLook } from "../trigger/sensor.js";
