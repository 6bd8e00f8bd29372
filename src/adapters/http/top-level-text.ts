const [QUOTE, ESCAPE, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c];
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const WHITE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Returns the first text of a field of a JSON object by one pass over its bytes: no value is made of the rest of it. `null` when there is none, or it is longer than
 * `limit` bytes. The result for invalid JSON is arbitrary: the caller parses and compares afterwards.
 */
export function topLevelText(bytes: Uint8Array, field: string, limit: number): string | null {
  let depth = 0;
  let isKey = false;
  let isWanted = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const end = endOfText(bytes, at);
      if (end === -1) return null;
      if (depth === 1 && isKey) isWanted = textAt(bytes, at, end, 6 * field.length) === field;
      else if (depth === 1 && isWanted) return textAt(bytes, at, end, limit);
      at = end;
    } else if (OPENING.has(byte)) {
      if (isWanted && depth === 1) return null;
      depth++;
      isKey = depth === 1;
    } else if (CLOSING.has(byte)) depth--;
    else if (depth === 1 && byte === COMMA) isKey = true;
    else if (depth === 1 && byte === COLON) isKey = false;
    else if (depth === 1 && isWanted && !isKey && !WHITE.has(byte)) return null; // a number, `true`, `false` or `null`
  }
  return null;
}

/** Where the quote is that ends a text; -1: nowhere. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === ESCAPE) at++;
    else if (bytes[at] === QUOTE) return at;
  }
  return -1;
}

function textAt(bytes: Uint8Array, start: number, end: number, limit: number): string | null {
  if (end - start - 1 > limit) return null;
  try {
    return JSON.parse(Buffer.from(bytes.subarray(start, end + 1)).toString("utf8")) as string;
  } catch {
    return null; // no JSON text, and so no name
  }
}
