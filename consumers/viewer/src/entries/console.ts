/**
 * The operators' console: keeps the board fresh. The server renders it anew, and only what differs is changed in place:
 * nothing flickers, and neither focus, nor what is typed, nor a scrolled table is lost.
 */
const EVERY_MS = 5_000;

const main = document.querySelector("main")!;
const told = document.createElement("p");
const button = document.createElement("button");
let paused = false;
let timer = 0;
let looking = false;

/** Makes `old` what `fresh` is. */
function renew(old: Element, fresh: Element): void {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((node, place) => {
    const there = before[place];
    if (!there) old.append(document.adoptNode(node));
    else if (there instanceof Element && node instanceof Element && there.nodeName === node.nodeName) renew(there, node);
    else if (there.nodeType !== node.nodeType || there.nodeType === Node.ELEMENT_NODE) there.replaceWith(document.adoptNode(node));
    else if (there.nodeValue !== node.nodeValue) there.nodeValue = node.nodeValue;
  });
  for (const left of before.slice(after.length)) left.remove();
}

async function look(): Promise<void> {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.status === 401) {
    stop();
    told.textContent = "Your session has ended: this is the last that was seen. Open the console with a new link.";
    button.remove();
    return;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const board = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of main.querySelectorAll(":scope > section[id]")) {
    const fresh = board.getElementById(section.id);
    if (fresh) renew(section, fresh);
  }
  told.textContent = `Seen at ${new Date().toLocaleTimeString(document.documentElement.lang)}.`;
}

/** One look after the other: a slow one makes the next one later, never two at once. */
async function go(): Promise<void> {
  stop();
  if (paused || looking || document.hidden) return;
  looking = true;
  try {
    await look();
  } catch {
    told.textContent = "The service does not answer: this is the last that was seen.";
  }
  looking = false;
  if (!paused && button.isConnected) timer = window.setTimeout(go, EVERY_MS);
}

function stop(): void {
  window.clearTimeout(timer);
}

function toggle(): void {
  paused = !paused;
  button.textContent = paused ? "Go on" : "Pause";
  if (paused) stop();
  else void go();
}

const fresh = document.createElement("div");
fresh.className = "fresh";
told.className = "quiet";
told.textContent = "Renewed by itself.";
button.textContent = "Pause";
button.className = "button";
button.addEventListener("click", toggle);
fresh.append(told, button);
main.prepend(fresh);
document.addEventListener("visibilitychange", () => document.hidden || void go());
timer = window.setTimeout(go, EVERY_MS);

export {};
