/** Decimals of a percentage that is compared with nothing. */
const USUAL = 1;
const MOST = 12;

/** Returns a number in as few decimals as show on which side of a limit it is: 80.04 beside 80 is `80.04`, never `80`. */
export function beside(value: number, limit: number, decimals = USUAL): string {
  for (let digits = decimals; digits <= MOST; digits++) {
    const shown = Number(value.toFixed(digits));
    if (Math.sign(shown - limit) === Math.sign(value - limit)) return String(shown);
  }
  return String(value);
}

/** Returns a share of 0 to 1 in percent, to a tenth, or so exactly that it does not look like a limit that it is not. */
export function percent(share: number, limit?: number): string {
  if (limit === undefined) return `${Number((share * 100).toFixed(USUAL))} %`;
  return `${beside(inPercent(share), inPercent(limit))} %`;
}

/** The limit as it was given: 0.07 is 7 %, not 7.000000000000001 %. */
function inPercent(share: number): number {
  return Number((share * 100).toPrecision(MOST));
}
