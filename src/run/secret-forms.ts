/** Shorter values of variables, environments and headers are words, such as a level or a region. */
const LEAST_HELD = 6;
/** Shorter parts of base64 would be found by chance. */
const LEAST_BASE64 = 8;
/** Values that many variables have. */
const COMMON = new Set(
  "production development staging testing default warning localhost 127.0.0.1 0.0.0.0 postgres headgate public unknown disabled enabled application/json text/plain utf-8 c.utf-8 en_us.utf-8".split(
    " ",
  ),
);
/** Variables of the environment and headers that hold no secrets. */
const PUBLIC_NAMES =
  /^(?:path|home|lang|lc_\w+|tz|user|logname|shell|pwd|tmpdir|node_env|headgate_env|systemroot|accept(?:-[a-z]+)?|content-(?:type|language)|user-agent|cache-control)$/i;

/** Returns true if a value that something merely holds is hidden: 6 characters or more, no short number, no usual word, none of the exceptions. */
export function isLikelySecret(value: string, except: ReadonlySet<string>): boolean {
  return value.length >= LEAST_HELD && !/^[-+]?\d{1,8}(?:\.\d+)?$/.test(value) && !COMMON.has(value.toLowerCase()) && !except.has(value);
}

/** Returns what is secret in variables of an environment, or in headers: their values, and the credentials in them without their scheme. */
export function secretsOfNamed(values: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || PUBLIC_NAMES.test(name)) return [];
    const [, scheme = "", credentials = ""] = /^(\w+)\s+(\S+)$/.exec(value) ?? [];
    if (credentials === "") return [value, ...secretsOfUrl(value)];
    const decoded = scheme.toLowerCase() === "basic" ? Buffer.from(credentials, "base64").toString("utf8") : "";
    return [value, credentials, ...(decoded.includes(":") ? [decoded, decoded.slice(decoded.indexOf(":") + 1)] : [])];
  });
}

/** Returns what is secret in an address: the password, or a user without one that is long enough to be a token; and query parameters with the names of secrets. */
export function secretsOfUrl(url: string): readonly string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url) || !URL.canParse(url)) return [];
  const { username, password, searchParams } = new URL(url);
  const user = password === "" && username.length >= 16 ? username : "";
  const parameters = [...searchParams].flatMap(([name, value]) =>
    /(?:token|secret|passw(?:or)?d|key|sig|signature|auth|pwd|credentials?)$/i.test(name) ? [value] : [],
  );
  return [password, unescaped(password), user, unescaped(user), ...parameters].filter((one) => one !== "");
}

/** Returns secrets as they may stand in a text: as they are, line by line, in JSON, percent-encoded, and in base64 at each of the three places that they may begin at. */
export function formsOf(secrets: readonly string[]): readonly string[] {
  const lines = secrets.flatMap((one) =>
    one.includes("\n") ? one.split(/\r?\n/).filter((line) => line.trim().length >= LEAST_BASE64) : [],
  );
  const plain = [...new Set([...secrets, ...lines])];
  return [...new Set(plain.flatMap((one) => [one, JSON.stringify(one).slice(1, -1), ...percent(one), ...base64(one)]))];
}

function percent(text: string): readonly string[] {
  const encoded = encodeURIComponent(Buffer.from(text, "utf8").toString("utf8")); // without surrogates that stand alone
  return [
    encoded,
    encoded.replaceAll("%20", "+"),
    encoded.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
  ];
}

function base64(text: string): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.from("\0".repeat(before) + text, "utf8");
    const whole = bytes.toString("base64").replace(/=+$/, "");
    // the characters that depend on what stands before and after are left out
    const part = whole.slice(before === 0 ? 0 : before + 1, bytes.length % 3 === 0 ? undefined : -1);
    return part.length < LEAST_BASE64 ? [] : [part, part.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // no percent-encoding
  }
}
