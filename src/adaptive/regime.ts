/** Bayes factor from which a change is accepted. */
const LIKELIER = 250;
/** Prior probability that a regime is an outage: all no. */
const OUTAGE = 0.3;
/** Fewer values than this make no regime. */
const SHORTEST = 2;

/** `logMarginal` needs the logarithms of these products, by count. */
const halves: number[] = [0]; // of 1/2 · 3/2 · 5/2 …
const wholes: number[] = [0]; // of 1 · 2 · 3 …

function grow(count: number): void {
  for (let n = halves.length; n <= count; n++) {
    halves.push((halves[n - 1] as number) + Math.log(n - 0.5));
    wholes.push((wholes[n - 1] as number) + Math.log(n));
  }
}

/** Logarithm of the probability of a sequence with so many of each, whatever their share may be (Jeffreys' prior, Beta(1/2, 1/2)). */
function logMarginal(yes: number, no: number): number {
  const mixed = (halves[yes] as number) + (halves[no] as number) - (wholes[yes + no] as number);
  return yes === 0 ? Math.log(OUTAGE + (1 - OUTAGE) * Math.exp(mixed)) : Math.log(1 - OUTAGE) + mixed;
}

/**
 * Returns where the newest regime of a sequence of yes and no begins: the index from which on their share has been another than before; 0 when there was no change. Takes time in proportion to the
 * length for each change.
 *
 * @see Kass and Raftery, "Bayes Factors", JASA 90 (1995): over 150 is very strong evidence
 * @see Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007: the longest window without a change
 */
export function newestRegime(values: readonly boolean[]): number {
  grow(values.length);
  let from = 0;
  for (;;) {
    const next = likeliestChange(values, from);
    if (next === null) return from;
    from = next;
  }
}

/** The index at which it is likeliest that the share changed, if that is likely enough. */
function likeliestChange(values: readonly boolean[], from: number): number | null {
  let all = 0;
  for (let n = from; n < values.length; n++) if (values[n]) all++;
  const count = values.length - from;
  const unchanged = logMarginal(all, count - all);
  let [most, at, before] = [Math.log(LIKELIER), null as number | null, 0];
  for (let left = 1; left <= count - SHORTEST; left++) {
    if (values[from + left - 1]) before++;
    if (left < SHORTEST) continue;
    const after = all - before;
    const likelier = logMarginal(before, left - before) + logMarginal(after, count - left - after) - unchanged;
    if (likelier > most) [most, at] = [likelier, from + left];
  }
  return at;
}
