/** Makes unique, sortable identifiers; injected, so that a simulation repeats to the byte. */
export type IdSource = (now: number) => string;

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Every pair of characters: ids are put together from whole pairs, without a string for every character. */
const PAIRS = Array.from({ length: 1_024 }, (_, index) => `${ALPHABET[index >> 5]}${ALPHABET[index & 31]}`);
const COUNTER_MAX = 2 ** 40;

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
  let counter = 0;
  const begin = (ms: number) => {
    lastMs = ms;
    prefix = encodeTime(ms) + encode40(Math.floor(random() * COUNTER_MAX));
    counter = Math.floor((random() * COUNTER_MAX) / 2); // the lower half, so that there is room to count up
  };
  return (now) => {
    if (now > lastMs) begin(now);
    else if (++counter === COUNTER_MAX) begin(lastMs + 1);
    return prefix + encode40(counter);
  };
}

/** Returns a string that sorts before every ULID of an instant (epoch ms) or later, and after every older one. */
export function firstIdAt(ms: number): string {
  return encodeTime(ms);
}

function encode40(value: number): string {
  const high = Math.floor(value / 0x100000);
  const low = value % 0x100000;
  return `${PAIRS[high >> 10]}${PAIRS[high & 1_023]}${PAIRS[low >> 10]}${PAIRS[low & 1_023]}`;
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
