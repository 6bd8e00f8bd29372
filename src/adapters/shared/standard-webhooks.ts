import type { HeadgateError } from "../../base/errors.js";
import { loadPeer } from "./load-peer.js";

/** Signs what is sent, and checks what was. @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
export interface Signer {
  sign(id: string, timestamp: Date, payload: string): string;
}

/**
 * The signer of a secret as Standard Webhooks writes it: `whsec_` and base64.
 *
 * @param bad - creates the error for an invalid secret
 * @throws HeadgateError `MISSING_PEER`
 */
export function signerOf(secret: string, bad: (problem: string) => HeadgateError): Signer {
  const library = loadPeer<{ Webhook: new (secret: string) => Signer }>("standardwebhooks", "signatures of Standard Webhooks need");
  try {
    return new library.Webhook(secret);
  } catch {
    throw bad("secret must be whsec_ followed by base64, as in Standard Webhooks");
  }
}

/**
 * Returns the key in a secret as Standard Webhooks writes it: `whsec_` and base64.
 *
 * @param bad - makes the error for a secret that is none
 */
export function secretKeyOf(secret: string, bad: (problem: string) => HeadgateError): Buffer {
  const [, text = ""] = /^(?:whsec_)?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(secret) ?? [];
  if (text === "") throw bad("secret must be whsec_ followed by base64, as in Standard Webhooks");
  return Buffer.from(text, "base64");
}
