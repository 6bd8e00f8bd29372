import { actOf, nameOf, refuseOthersName } from "../acting.js";
import { listAnswer, pageAnswer } from "../bounded.js";
import { Problem } from "../problem.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { auditOut, tokenOut } from "../serialize.js";
import { auditShort, tokenShort } from "../short.js";
import { given, ok } from "./responses.js";

/** Tokens reach beyond pipelines: who is limited to some must not make or end them. */
function unlimited(call: Call): ReturnType<typeof actOf> {
  if (call.caller.pipelines !== null) throw new Problem(403, "FORBIDDEN", "this token is limited to some pipelines");
  return actOf(call);
}

const VERIFIED_AT_ONCE = 100_000;

export const tokenRoutes: readonly Route[] = [
  route({
    id: "listTokens",
    method: "GET",
    path: "/api/v1/tokens",
    summary: "List tokens, without their secrets",
    tag: "tokens",
    role: "admin",
    query: requests.listQuery,
    answers: ok("The tokens.", schemas.tokenList),
    handle: async (call) => {
      unlimited(call);
      return listAnswer(await call.scheduler.tokens.list(), call.query, tokenShort, ({ id }) => id);
    },
  }),
  route({
    id: "getToken",
    method: "GET",
    path: "/api/v1/tokens/{id}",
    summary: "Get a token, without its secret",
    tag: "tokens",
    role: "admin",
    answers: ok("The token.", schemas.token),
    handle: async (call) => {
      unlimited(call);
      const found = (await call.scheduler.tokens.list()).find(({ id }) => id === call.params.id);
      if (found === undefined) throw new Problem(404, "NOT_FOUND", "token not found");
      return { status: 200, body: tokenOut(found) };
    },
  }),
  route({
    id: "issueToken",
    method: "POST",
    path: "/api/v1/tokens",
    summary: "Create a token; its secret is shown once",
    tag: "tokens",
    role: "admin",
    body: requests.tokenBody,
    answers: { 201: { description: "The token.", schema: schemas.issuedToken } },
    handle: async (call) => {
      const { caller } = unlimited(call);
      const { expires_in_minutes: minutes, acts_for_others: actsForOthers, role, pipelines, description, user } = call.body;
      refuseOthersName(call, given({ user, actsForOthers }));
      const expiresIn = minutes === undefined ? undefined : minutes * 60_000;
      const { token, ...info } = await call.scheduler.tokens.issue({
        role,
        caller,
        createdBy: nameOf(call.caller),
        ...given({ pipelines, description, expiresIn, user, actsForOthers }),
      });
      return { status: 201, body: { ...tokenOut(info), token }, ids: [info.id] };
    },
  }),
  route({
    id: "rotateToken",
    method: "POST",
    path: "/api/v1/tokens/{id}/rotate",
    summary: "Rotate a token's secret; the old one stays valid for an overlap (default one hour)",
    tag: "tokens",
    role: "admin",
    body: requests.rotateBody,
    isBodyOptional: true,
    answers: ok("The token.", schemas.issuedToken),
    handle: async (call) => {
      const by = unlimited(call);
      const id = call.params.id ?? "";
      const known = (await call.scheduler.tokens.list()).find((one) => one.id === id);
      if (known !== undefined) refuseOthersName(call, known);
      const minutes = call.body?.overlap_minutes;
      const overlap = minutes === undefined ? undefined : minutes * 60_000;
      const { token, ...info } = await call.scheduler.tokens.rotate(id, { ...by, ...given({ overlap }) });
      return { status: 200, body: { ...tokenOut(info), token }, ids: [id] };
    },
  }),
  route({
    id: "revokeToken",
    method: "DELETE",
    path: "/api/v1/tokens/{id}",
    summary: "Revoke a token, immediately on all nodes",
    tag: "tokens",
    role: "admin",
    answers: ok("The token.", schemas.token),
    handle: async (call) => {
      const id = call.params.id ?? "";
      return { status: 200, body: tokenOut(await call.scheduler.tokens.revoke(id, unlimited(call))), ids: [id] };
    },
  }),
  route({
    id: "listAudit",
    method: "GET",
    path: "/api/v1/audit",
    summary: "List audit records, newest first",
    tag: "tokens",
    role: "admin",
    query: requests.auditQuery,
    answers: ok("A page of records.", schemas.pageOf(schemas.audit)),
    handle: async (call) => {
      const { limit = 50, cursor } = call.query;
      const { pipelines } = call.caller;
      const read = async (step: { limit: number; cursor?: string }) => {
        const before = step.cursor === undefined ? undefined : Number(step.cursor);
        const query = { limit: step.limit + 1, ...given({ before, pipelineIds: pipelines ?? undefined }) };
        const found = await call.scheduler.audit.list(query);
        const items = found.slice(0, step.limit);
        return { items, nextCursor: found.length > step.limit ? String(items.at(-1)?.seq) : null };
      };
      return pageAnswer({ limit, cursor }, read, auditShort, ({ seq }) => String(seq));
    },
  }),
  route({
    id: "verifyAudit",
    method: "GET",
    path: "/api/v1/audit/verify",
    summary: "Verify the audit log's integrity, optionally against a head (`seq` and `hash`) that was recorded elsewhere",
    tag: "tokens",
    role: "admin",
    query: requests.auditVerifyQuery,
    answers: ok("The result; `next_cursor` is null once all records are verified.", schemas.auditCheck),
    handle: async (call) => {
      unlimited(call);
      const { seq, hash, cursor, limit = VERIFIED_AT_ONCE } = call.query;
      if ((seq === undefined) !== (hash === undefined)) throw new Problem(422, "INVALID_REQUEST", "seq and hash must be given together");
      const head = seq === undefined || hash === undefined ? undefined : { seq, hash };
      const [from, reached = ""] = cursor?.split(".") ?? [];
      const after = from === undefined ? undefined : { seq: Number(from), hash: reached };
      const { isIntact, next, ...rest } = await call.scheduler.audit.verify({ limit, ...given({ head, after }) });
      return { status: 200, body: { is_intact: isIntact, ...rest, next_cursor: next === null ? null : `${next.seq}.${next.hash}` } };
    },
  }),
  route({
    id: "getAuditHead",
    method: "GET",
    path: "/api/v1/audit/head",
    summary: "Get the newest record's number and hash, to be recorded elsewhere",
    tag: "tokens",
    role: "admin",
    answers: ok("The head.", schemas.auditHead),
    handle: async (call) => {
      unlimited(call);
      return { status: 200, body: await call.scheduler.audit.head() };
    },
  }),
  route({
    id: "getAuditRecord",
    method: "GET",
    path: "/api/v1/audit/{seq}",
    summary: "Get an audit record in full",
    tag: "tokens",
    role: "admin",
    answers: ok("The record.", schemas.audit),
    handle: async (call) => {
      const seq = /^\d{1,15}$/.test(call.params.seq ?? "") ? Number(call.params.seq) : Number.NaN;
      const pipelineIds = call.caller.pipelines ?? undefined;
      const [found] = Number.isNaN(seq) ? [] : await call.scheduler.audit.list({ before: seq + 1, limit: 1, ...given({ pipelineIds }) });
      if (found === undefined || found.seq !== seq) throw new Problem(404, "NOT_FOUND", "audit record not found (it may have been pruned)");
      return { status: 200, body: auditOut(found) };
    },
  }),
];
