/** Takes secrets out of text that is kept or shown. */
export type Redact = (text: string) => string;

/** What stands in place of a secret. */
export const HIDDEN = "[redacted]";
/** Passwords in addresses, and credentials as HTTP has them. @see https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1 @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2 */
const USUAL: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*):[^\s/@"']+@/gi, `$1:${HIDDEN}@`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${HIDDEN}`],
];
/** Shorter ones would be found everywhere. */
const SHORTEST = 4;

/** Hides what is given, word for word (in JSON too), and what looks like credentials. */
export function redactor(secrets: readonly string[]): Redact {
  const found = secrets.filter((one) => one.length >= SHORTEST).flatMap((one) => [one, JSON.stringify(one).slice(1, -1)]);
  const words = [...new Set(found)].sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const word of words) if (clean.includes(word)) clean = clean.replaceAll(word, HIDDEN);
    for (const [pattern, by] of USUAL) clean = clean.replace(pattern, by);
    return clean;
  };
}
