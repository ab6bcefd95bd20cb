/**
 * Refreshes the operators' console. The server renders the page again, and only the differences are applied, so that
 * focus, input and scroll positions are kept. The texts are in the `data-` attributes of the page.
 */
const REFRESH_MS = 5_000;

const main = document.querySelector("main")!;
const texts = main.dataset;
const status = document.createElement("p");
const button = document.createElement("button");
let paused = false;
let timer = 0;
let refreshing = false;

/** Changes `old` in place until it equals `fresh`. A table that the reader has opened stays open. */
function update(old: Element, fresh: Element): void {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, index) => {
    const existing = before[index];
    if (!existing) old.append(document.adoptNode(node));
    else if (existing instanceof Element && node instanceof Element && existing.nodeName === node.nodeName) update(existing, node);
    else if (existing.nodeType !== node.nodeType || existing.nodeType === Node.ELEMENT_NODE) existing.replaceWith(document.adoptNode(node));
    else if (existing.nodeValue !== node.nodeValue) existing.nodeValue = node.nodeValue;
  });
  for (const surplus of before.slice(after.length)) surplus.remove();
}

function setStatus(text = ""): void {
  status.textContent = text;
}

async function refresh(): Promise<void> {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (response.status === 401) {
    stop();
    setStatus(texts["ended"]);
    button.remove();
    return;
  }
  if (!response.ok) throw new Error(String(response.status));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const section of main.querySelectorAll(":scope > section[id]")) {
    const fresh = page.getElementById(section.id);
    if (fresh) update(section, fresh);
  }
  setStatus(texts["updated"]?.replace("{time}", new Date().toLocaleTimeString(document.documentElement.lang)));
}

/** Runs one refresh at a time, and schedules the next one when it ends. */
async function run(): Promise<void> {
  stop();
  if (paused || refreshing || document.hidden) return;
  refreshing = true;
  try {
    await refresh();
  } catch {
    setStatus(texts["away"]);
  }
  refreshing = false;
  if (!paused && button.isConnected) timer = window.setTimeout(run, REFRESH_MS);
}

function stop(): void {
  window.clearTimeout(timer);
}

function toggle(): void {
  paused = !paused;
  button.textContent = (paused ? texts["resume"] : texts["pause"]) ?? "";
  if (paused) stop();
  else void run();
}

const fresh = document.createElement("div");
fresh.className = "fresh";
status.className = "quiet";
setStatus(texts["refreshes"]);
button.textContent = texts["pause"] ?? "";
button.className = "button";
button.addEventListener("click", toggle);
fresh.append(status, button);
main.prepend(fresh);
document.addEventListener("visibilitychange", () => document.hidden || void run());
timer = window.setTimeout(run, REFRESH_MS);

export {};
