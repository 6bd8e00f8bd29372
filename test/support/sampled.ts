/** How much of a property's cases `npm run test:unit` tries; `npm test` tries them all. */
const SHARE = 0.1;

/** Returns how many cases of a property are tried: `full`, or a tenth of them in `npm run test:unit`, chosen by another seed each time. */
export function sampled(full: number): number {
  return process.env.HEADGATE_TESTS === "unit" ? Math.ceil(full * SHARE) : full;
}
