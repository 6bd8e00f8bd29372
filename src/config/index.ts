export type { ListenOptions } from "./compile/service.js";
export { ConfigError, type ConfigProblem, problemLine } from "./diagnostic.js";
export { type ConfigDifference, differenceLines } from "./difference.js";
export { configSchema } from "./json-schema.js";
export { type LoadConfigOptions, type LoadedConfig, loadConfig } from "./load.js";
export type { MissingPackage } from "./missing-packages.js";
export type { ConfigFile } from "./schema/config.js";
export { type ConfigChange, type ConfigWatch, recordConfig, type WatchConfigOptions, watchConfig } from "./watch.js";
