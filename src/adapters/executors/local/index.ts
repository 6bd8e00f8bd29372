export { type CommandExecutorOptions, type CommandRun, commandExecutor } from "./command.js";
export { type ThreadContext, type WorkerThreadOptions, workerThreadExecutor } from "./worker-thread.js";
