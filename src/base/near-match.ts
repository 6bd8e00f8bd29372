/** Returns the name that was probably meant: one that few edits, or the same beginning, make likely; `null` when there is none. */
export function nearestName(name: string, names: Iterable<string>): string | null {
  const all = [...names];
  let best: string | null = null;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const one of all) {
    const distance = name.length > 64 ? least : distanceOf(name.toLowerCase(), one.toLowerCase(), least);
    if (distance < least) [best, least] = [one, distance];
  }
  return best ?? sameBeginning(name, all);
}

/** At least five characters, and two thirds of the name: `run.success` is `run.succeeded`. */
function sameBeginning(name: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let longest = Math.max(5, Math.ceil((name.length * 2) / 3)) - 1;
  for (const one of name.length > 64 ? [] : names) {
    let length = 0;
    while (length < name.length && name[length]?.toLowerCase() === one[length]?.toLowerCase()) length++;
    if (length > longest) [best, longest] = [one, length];
  }
  return best;
}

/** Edits that make one word of another, neighbours swapped counting as one; not counted beyond `limit`. @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance */
function distanceOf(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  let [before, last]: [number[], number[]] = [[], Array.from({ length: other.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      let edits = Math.min((last[column] as number) + 1, (next[column - 1] as number) + 1, (last[column - 1] as number) + (isSame ? 0 : 1));
      const isSwap = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (isSwap) edits = Math.min(edits, (before[column - 2] as number) + 1);
      next.push(edits);
    }
    [before, last] = [last, next];
  }
  return last[other.length] as number;
}
