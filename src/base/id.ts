/** Makes unique, sortable identifiers; injected, so that a simulation repeats to the byte. */
export type IdSource = (now: number) => string;

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_CHARS = 16;

/**
 * ULIDs (48-bit millisecond time, 80 random bits, Crockford base 32), monotonic within one source: in the same
 * millisecond, or when the clock steps back, the random part counts up, so that ids sort in the order they were made.
 *
 * @param random - a number in [0, 1) each call
 * @see https://github.com/ulid/spec
 */
export function ulidSource(random: () => number): IdSource {
  let lastMs = -1;
  let prefix = "";
  const digits = new Uint8Array(RANDOM_CHARS);
  return (now) => {
    if (now > lastMs) {
      lastMs = now;
      prefix = encodeTime(now);
      for (let i = 0; i < RANDOM_CHARS; i++) digits[i] = Math.floor(random() * 32);
    } else {
      let i = RANDOM_CHARS - 1;
      while (i >= 0 && digits[i] === 31) digits[i--] = 0;
      if (i < 0) prefix = encodeTime(++lastMs);
      else (digits[i] as number)++;
    }
    let id = prefix;
    for (let i = 0; i < RANDOM_CHARS; i++) id += ALPHABET[digits[i] as number];
    return id;
  };
}

function encodeTime(ms: number): string {
  let rest = Math.max(0, ms);
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = (ALPHABET[rest % 32] as string) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** Short counting identifiers for simulations, the same in every run. */
export function countingIds(): IdSource {
  let count = 0;
  return () => countedId(++count);
}

/** The nth of {@link countingIds}: n in base 36, in 8 digits so that they sort. */
export function countedId(number: number): string {
  return number.toString(36).padStart(8, "0");
}
