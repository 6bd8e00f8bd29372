/** Prints one line of a table and remembers nothing: every case runs in a process of its own. */
export function row(name: string, value: string, target = ""): void {
  console.log(`  ${name.padEnd(62)} ${value.padStart(22)}  ${target}`);
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Microseconds a call, the median of several rounds. */
export function perCallUs(calls: number, rounds: number, round: (calls: number) => void): number {
  const times: number[] = [];
  round(calls);
  for (let n = 0; n < rounds; n++) {
    const before = process.hrtime.bigint();
    round(calls);
    times.push(Number(process.hrtime.bigint() - before) / 1_000 / calls);
  }
  return median(times);
}

export function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
