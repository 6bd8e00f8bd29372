const RESERVED = /^(?:(?:webhook|file):.*|file|environment|tuner)$/s;

/** Returns whether a name says where something came from (a webhook, a trigger file, the service itself) and so must not be given to the holder of a token. */
export function isReservedUser(name: string): boolean {
  return RESERVED.test(name);
}
