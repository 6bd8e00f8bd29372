export { type TriggerFileOptions, type TriggerFileWatcher, watchTriggerFiles } from "./watch.js";
