/** JSON that others have written may be nested no deeper. */
export const DEEPEST = 32;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const PROBLEMS_TOLD = 20;

/** Problem with one field. */
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

/** Returns prototype-polluting keys, NUL characters and numbers that are not exact. */
export function mischiefIn(value: unknown): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  inspect(value, [], problems);
  return problems;
}

/** The path is put into words only when something is wrong there. */
function inspect(value: unknown, path: string[], problems: FieldProblem[]): void {
  if (problems.length >= PROBLEMS_TOLD) return;
  if (typeof value === "string") {
    if (value.includes("\0")) problems.push({ pointer: pointerOf(path), detail: "must not contain the character NUL" });
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) problems.push({ pointer: pointerOf(path), detail: "is a number too large to be exact" });
  } else if (typeof value === "object" && value !== null) {
    const isList = Array.isArray(value);
    for (const name of Object.keys(value)) {
      path.push(name);
      if (!isList && (FORBIDDEN.has(name) || name.includes("\0")))
        problems.push({ pointer: pointerOf(path), detail: "is a reserved name" });
      else inspect((value as Readonly<Record<string, unknown>>)[name], path, problems);
      path.pop();
    }
  }
}

function pointerOf(path: readonly string[]): string {
  return path.map((name) => `/${escaped(name)}`).join("");
}

/** @see https://www.rfc-editor.org/rfc/rfc6901 */
export function escaped(name: string): string {
  return name.slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1");
}
