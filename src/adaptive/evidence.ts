/** Runs up to which a reaction goes by what they show, as it stands: a rash step is undone by the runs that follow. */
const FEW = 20;
/** Standard errors by which a limit must be exceeded, with more runs than that, to leave the base interval for it … */
const TO_LEAVE = 2.5;
/** … and to stay away from it. */
const TO_STAY = 1;

/**
 * Returns by how much a measure must exceed a limit for a reaction, as a Schmitt trigger does: more to begin than to go on, so that noise about a limit does not make an interval go up and down.
 *
 * @param standardError - of the measure
 * @param isReacting - whether the interval is on that side of its base already
 */
export function marginOf(standardError: number, count: number, isReacting: boolean): number {
  return count <= FEW ? 0 : standardError * (isReacting ? TO_STAY : TO_LEAVE);
}

/** Mean of numbers, and its standard error. */
export function meanOf(numbers: readonly number[]): { readonly mean: number; readonly standardError: number } {
  const mean = numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
  const squares = numbers.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  return { mean, standardError: numbers.length < 2 ? 0 : Math.sqrt(squares / (numbers.length - 1) / numbers.length) };
}
