/**
 * Runs the viewer in a frame. The embedding page supplies the token:
 *
 *   frame → page  {type: "auditlane:ready"}            the frame accepts a token
 *   page → frame  {type: "auditlane:token", token}     a viewer token; again before it expires
 *   frame → page  {type: "auditlane:token-expired"}    the frame needs a new one
 *
 * Tokens are accepted only from the parent window and from origins that the service lists. If a link has set a session
 * cookie, no token is needed. `?theme=dark&lang=de` sets the viewer's attributes, as do `query`, `range`, `columns`,
 * `density`, `hide` and `locale`.
 */
import type { AuditlaneViewer } from "../viewer/auditlane-viewer.js";
import "./viewer.js";

const TOKEN_TIMEOUT_MS = 3_000; // after this time, the page reports that no token was sent

const main = document.querySelector("main")!;
const origins = new Set((main.dataset["origins"] ?? "").split(" "));
const host = window.parent === window ? null : window.parent;
let viewer: AuditlaneViewer | null = null;

function show(token: string): void {
  for (const note of notes()) note.hidden = true;
  if (viewer) {
    viewer.token = token;
    return;
  }
  const params = new URLSearchParams(location.search);
  viewer = document.createElement("auditlane-viewer");
  viewer.token = token;
  viewer.pageKeys = true;
  viewer.signInUrl = main.dataset["signIn"] ?? "";
  for (const name of ["theme", "lang", "query", "range", "columns", "density", "hide", "locale"]) {
    const value = params.get(name);
    if (value) viewer.setAttribute(name, value);
  }
  viewer.addEventListener("token-expired", expired);
  viewer.addEventListener("auditlane-problem", (event) => {
    // A session cookie expires without a request for a token.
    if ((event as CustomEvent<{ code?: string } | null>).detail?.code === "TOKEN_EXPIRED" && !viewer?.token) expired();
  });
  main.append(viewer);
}

function expired(): void {
  post("auditlane:token-expired");
}

/** Messages contain no secrets, and only pages listed by the service can embed the frame. */
function post(type: string): void {
  host?.postMessage({ type }, "*");
}

function notes(which = ""): HTMLElement[] {
  return [...main.querySelectorAll<HTMLElement>("[data-note]")].filter((element) => !which || element.dataset["note"] === which);
}

window.addEventListener("message", (event: MessageEvent<unknown>) => {
  if (!host || event.source !== host || !origins.has(event.origin)) return;
  const message = event.data as { type?: unknown; token?: unknown } | null;
  if (message?.type === "auditlane:token" && typeof message.token === "string" && message.token) show(message.token);
});

if ("session" in main.dataset) show("");
else if (host) setTimeout(() => notes(viewer ? "none" : "waiting").forEach((element) => (element.hidden = false)), TOKEN_TIMEOUT_MS);
else notes("alone").forEach((element) => (element.hidden = false));
post("auditlane:ready");
