const SECRET_NAMES =
  /pass(?:wd|word|phrase|code)?$|^pwd$|secret|token|(?:api|access|private|subscription|shared)[-_]?key|^key$|sig(?:nature)?$|^auth|credential|session|jwt|^code$/i;
const HIDDEN = "[hidden]";

/** Returns the parts of an address that are, or by their names should be, secret: `user`, or names of query parameters. */
export function secretParameters(url: URL): readonly string[] {
  const user = url.username === "" && url.password === "" ? [] : ["user"];
  return [...user, ...new Set([...url.searchParams.keys()].filter((name) => SECRET_NAMES.test(name)))];
}

/** Returns an address without what may be secret in it; of one that is not over HTTP, neither user nor parameters at all. */
export function withoutSecrets(text: string): string {
  if (!URL.canParse(text)) return HIDDEN;
  const url = new URL(text);
  if (url.protocol === "sqlite:") return text;
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  const secrets = secretParameters(url);
  if (isWeb && secrets.length === 0) return text;
  if (!isWeb) return `${url.protocol}//${url.host}${url.pathname}`;
  url.username = "";
  url.password = "";
  for (const name of secrets) if (url.searchParams.has(name)) url.searchParams.set(name, HIDDEN);
  return url.href;
}
