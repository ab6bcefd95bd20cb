/**
 * The viewer inside of a frame. The page around it says who looks:
 *
 *   frame → page  {type: "auditlane:ready"}            the frame can take a token
 *   page → frame  {type: "auditlane:token", token}     a viewer token; again before the last one ends
 *   frame → page  {type: "auditlane:token-expired"}    the frame needs a new one
 *
 * Tokens are taken from the window around the frame alone, and from origins that the service lists. With a link's
 * session (a cookie) no token is needed. `?theme=dark&lang=de` are the viewer's attributes.
 */
import type { AuditlaneViewer } from "../viewer/auditlane-viewer.js";
import "./viewer.js";

const PATIENCE_MS = 3_000; // before it is said that nobody sent a token

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
  const wished = new URLSearchParams(location.search);
  viewer = document.createElement("auditlane-viewer");
  viewer.token = token;
  for (const name of ["theme", "lang"]) {
    const value = wished.get(name);
    if (value) viewer.setAttribute(name, value);
  }
  viewer.addEventListener("token-expired", expired);
  viewer.addEventListener("auditlane-problem", (event) => {
    // The session of a cookie ends without the viewer's asking for a token.
    if ((event as CustomEvent<{ code?: string } | null>).detail?.code === "TOKEN_EXPIRED" && !viewer?.token) expired();
  });
  main.append(viewer);
}

function expired(): void {
  tell("auditlane:token-expired");
}

/** Nothing secret is told, and only pages that the service lists can have us in a frame. */
function tell(type: string): void {
  host?.postMessage({ type }, "*");
}

function notes(which = ""): HTMLElement[] {
  return [...main.querySelectorAll<HTMLElement>("[data-said]")].filter((one) => !which || one.dataset["said"] === which);
}

window.addEventListener("message", (event: MessageEvent<unknown>) => {
  if (!host || event.source !== host || !origins.has(event.origin)) return;
  const said = event.data as { type?: unknown; token?: unknown } | null;
  if (said?.type === "auditlane:token" && typeof said.token === "string" && said.token) show(said.token);
});

if ("session" in main.dataset) show("");
else if (host) setTimeout(() => notes(viewer ? "none" : "waiting").forEach((one) => (one.hidden = false)), PATIENCE_MS);
else notes("alone").forEach((one) => (one.hidden = false));
tell("auditlane:ready");
