import { auditOut, tokenOut } from "../out.js";
import { Problem } from "../problem.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import { given, ok } from "./answers.js";

/** Tokens reach beyond pipelines: who is limited to some must not make or end them. */
function unlimited({ caller }: Call): { user: string } {
  if (caller.pipelines !== null) throw new Problem(403, "FORBIDDEN", "this token is limited to some pipelines");
  return { user: caller.id };
}

export const tokenRoutes: readonly Route[] = [
  route({
    id: "listTokens",
    method: "GET",
    path: "/api/v1/tokens",
    summary: "All tokens, without their text",
    tag: "tokens",
    role: "admin",
    answers: ok("The tokens.", schemas.tokenList),
    handle: async (call) => {
      unlimited(call);
      return { status: 200, body: { items: (await call.scheduler.tokens.list()).map(tokenOut) } };
    },
  }),
  route({
    id: "issueToken",
    method: "POST",
    path: "/api/v1/tokens",
    summary: "Make a token; its text is told only now",
    tag: "tokens",
    role: "admin",
    body: schemas.tokenBody,
    answers: { 201: { description: "The token.", schema: schemas.issuedToken } },
    handle: async (call) => {
      const by = unlimited(call);
      const { expires_in_minutes: minutes, role, pipelines, description } = call.body;
      const expiresIn = minutes === undefined ? undefined : minutes * 60_000;
      const { token, ...info } = await call.scheduler.tokens.issue({ role, ...by, ...given({ pipelines, description, expiresIn }) });
      return { status: 201, body: { ...tokenOut(info), token } };
    },
  }),
  route({
    id: "rotateToken",
    method: "POST",
    path: "/api/v1/tokens/{id}/rotate",
    summary: "A new text for a token; the old one is good for an overlap (default an hour)",
    tag: "tokens",
    role: "admin",
    body: schemas.rotateBody,
    isBodyOptional: true,
    answers: ok("The token.", schemas.issuedToken),
    handle: async (call) => {
      const by = unlimited(call);
      const minutes = call.body?.overlap_minutes;
      const overlap = minutes === undefined ? undefined : minutes * 60_000;
      const { token, ...info } = await call.scheduler.tokens.rotate(call.params.id ?? "", { ...by, ...given({ overlap }) });
      return { status: 200, body: { ...tokenOut(info), token } };
    },
  }),
  route({
    id: "revokeToken",
    method: "DELETE",
    path: "/api/v1/tokens/{id}",
    summary: "End a token, on all nodes at once",
    tag: "tokens",
    role: "admin",
    answers: ok("The token.", schemas.token),
    handle: async (call) => ({ status: 200, body: tokenOut(await call.scheduler.tokens.revoke(call.params.id ?? "", unlimited(call))) }),
  }),
  route({
    id: "listAudit",
    method: "GET",
    path: "/api/v1/audit",
    summary: "The audit log, newest first",
    tag: "tokens",
    role: "admin",
    query: schemas.auditQuery,
    answers: ok("A page of records.", schemas.pageOf(schemas.audit)),
    handle: async (call) => {
      const { limit = 50, cursor } = call.query;
      const { pipelines } = call.caller;
      const query = {
        limit: limit + 1,
        ...given({ before: cursor === undefined ? undefined : Number(cursor), pipelineIds: pipelines ?? undefined }),
      };
      const found = await call.scheduler.audit.list(query);
      const items = found.slice(0, limit);
      return { status: 200, body: { items: items.map(auditOut), next_cursor: found.length > limit ? String(items.at(-1)?.seq) : null } };
    },
  }),
  route({
    id: "verifyAudit",
    method: "GET",
    path: "/api/v1/audit/verify",
    summary: "Whether the audit log is as it was written",
    tag: "tokens",
    role: "admin",
    answers: ok("What was found.", schemas.auditCheck),
    handle: async (call) => {
      unlimited(call);
      const { isIntact, records, problem } = await call.scheduler.audit.verify();
      return { status: 200, body: { is_intact: isIntact, records, problem } };
    },
  }),
];
