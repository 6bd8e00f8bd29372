/** JSON that others have written may be nested no deeper. */
export const DEEPEST = 32;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const PROBLEMS_TOLD = 20;

/** What is wrong with one field. */
export interface FieldProblem {
  /** A JSON pointer into the body, or `?name` of a query parameter. */
  readonly pointer: string;
  readonly detail: string;
}

/** Counts brackets before anything recurses over them. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text.charCodeAt(at);
    if (isText) {
      if (letter === 0x5c) at++;
      else if (letter === 0x22) isText = false;
    } else if (letter === 0x22) isText = true;
    else if (letter === 0x7b || letter === 0x5b) {
      if (++depth > DEEPEST) return true;
    } else if (letter === 0x7d || letter === 0x5d) depth--;
  }
  return false;
}

/** Names and values that mean mischief: what could change prototypes, NUL, numbers that are none any more. */
export function mischiefIn(value: unknown): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  inspect(value, "", problems);
  return problems;
}

function inspect(value: unknown, pointer: string, problems: FieldProblem[]): void {
  if (problems.length >= PROBLEMS_TOLD) return;
  if (typeof value === "string") {
    if (value.includes("\0")) problems.push({ pointer, detail: "must not have the character NUL" });
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) problems.push({ pointer, detail: "is too large a number" });
  } else if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) inspect(one, `${pointer}/${index}`, problems);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value)) {
      const at = `${pointer}/${escaped(name)}`;
      if (FORBIDDEN.has(name) || name.includes("\0")) problems.push({ pointer: at, detail: "is not a name that may be used" });
      else inspect(one, at, problems);
    }
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc6901 */
export function escaped(name: string): string {
  return name.slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1");
}
