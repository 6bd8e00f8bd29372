const SPACE = /[ \t\n\r]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
const SIMPLE = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/y;

type Wanted = "value" | "first item" | "first key" | "key" | "colon" | "next";

/** The first place where a text is not JSON. */
export interface JsonSyntaxProblem {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  /** Complete clause without any of the text, such as `expected a value`. */
  readonly problem: string;
}

/**
 * Describes where a text stops being JSON, such as `expected a value at line 2, column 7`. Unlike the message of `JSON.parse`, it never quotes the text, which may hold a secret.
 */
export function jsonProblemOf(text: string): string {
  const { line, column, problem } = locateJsonProblem(text) ?? { line: 1, column: 1, problem: "cannot be parsed" };
  return `${problem} at line ${line}, column ${column}`;
}

/**
 * Returns the first syntax error of a JSON text, `null` when there is none. Linear, and does not recurse.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export function locateJsonProblem(text: string): JsonSyntaxProblem | null {
  /** Closing brackets of what is open. */
  const open: ("}" | "]")[] = [];
  let wanted: Wanted = "value";
  let at = 0;
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const { length } = pattern.exec(text)?.[0] ?? "";
    at += length;
    return length > 0;
  };
  for (;;) {
    skip(SPACE);
    const letter = text[at];
    const closing = open.at(-1);
    if (wanted === "next" && closing === undefined)
      return letter === undefined ? null : problemAt(text, at, "expected the end of the text");
    if (letter === undefined) return problemAt(text, at, "unexpected end of the text");
    if (letter === closing && (wanted === "next" || wanted === "first item" || wanted === "first key")) {
      open.pop();
      wanted = "next";
      at++;
    } else if (wanted === "next") {
      if (letter !== ",") return problemAt(text, at, `expected , or ${closing}`);
      wanted = closing === "}" ? "key" : "value";
      at++;
    } else if (wanted === "colon") {
      if (letter !== ":") return problemAt(text, at, "expected :");
      wanted = "value";
      at++;
    } else if (letter === '"') {
      const end = stringEnd(text, at);
      if (typeof end === "object") return end;
      at = end;
      wanted = isName(wanted) ? "colon" : "next";
    } else if (isName(wanted)) return problemAt(text, at, "expected a name in double quotes");
    else if (letter === "{" || letter === "[") {
      open.push(letter === "{" ? "}" : "]");
      wanted = letter === "{" ? "first key" : "first item";
      at++;
    } else if (skip(SIMPLE)) wanted = "next";
    else return problemAt(text, at, "expected a value");
  }
}

function isName(wanted: Wanted): boolean {
  return wanted === "key" || wanted === "first key";
}

/** Returns the index after a string, or where it breaks off. */
function stringEnd(text: string, start: number): number | JsonSyntaxProblem {
  for (let at = start + 1; at < text.length; at++) {
    const letter = text[at];
    if (letter === '"') return at + 1;
    if (text.charCodeAt(at) < 0x20) return problemAt(text, at, "unescaped control character in a string");
    if (letter !== "\\") continue;
    const escaped = text[at + 1];
    if (escaped === undefined) break;
    HEX.lastIndex = at + 2;
    if (escaped === "u" ? !HEX.test(text) : !'"\\/bfnrt'.includes(escaped))
      return problemAt(text, at, "invalid escape sequence in a string");
    at += escaped === "u" ? 5 : 1;
  }
  return problemAt(text, text.length, "the text ends within a string");
}

function problemAt(text: string, at: number, problem: string): JsonSyntaxProblem {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf("\n"); end !== -1 && end < at; end = text.indexOf("\n", end + 1)) {
    line++;
    start = end + 1;
  }
  return { line, column: at - start + 1, problem };
}
