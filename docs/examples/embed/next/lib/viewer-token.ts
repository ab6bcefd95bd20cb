/** The backend's client of the audit service. Its key must never reach a browser. */
import "server-only";

import { SERVICE } from "./service";

interface Token {
  access_token: string;
  expires_in: number;
}

let own: { token: string; expires: number } | null = null;

/** Returns a viewer token that is limited to the events of one document, valid for 15 minutes. */
export async function documentToken(tenant: string, user: string, document: string): Promise<string> {
  const limited = { tenant, user, permissions: ["audits:read"], filter: { resource: "document", resource_id: document }, ttl_s: 900 };
  return (await post("/v1/viewer-tokens", `Bearer ${await ownToken()}`, limited)).access_token;
}

/** Returns this backend's own token, which is valid for a day. */
async function ownToken(): Promise<string> {
  if (!own || own.expires < Date.now()) {
    const key = `${process.env.CLIENT_ID}:${process.env.SECRET}`;
    const made = await post("/v1/token", `Basic ${Buffer.from(key).toString("base64")}`);
    own = { token: made.access_token, expires: Date.now() + made.expires_in * 900 }; // a tenth before it expires
  }
  return own.token;
}

async function post(path: string, authorization: string, body?: object): Promise<Token> {
  const headers = { Authorization: authorization, "Content-Type": "application/json" };
  const response = await fetch(SERVICE + path, { method: "POST", headers, body: body && JSON.stringify(body), cache: "no-store" });
  if (!response.ok) throw new Error(`auditlane: ${response.status} ${await response.text()}`);
  return (await response.json()) as Token;
}
