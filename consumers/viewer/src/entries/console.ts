/**
 * Refreshes the operators' console. The server renders the page again, and only differences are applied, so that focus,
 * input and scroll positions stay. The texts are the page's `data-` attributes.
 */
const EVERY_MS = 5_000;

const main = document.querySelector("main")!;
const words = main.dataset;
const told = document.createElement("p");
const button = document.createElement("button");
let paused = false;
let timer = 0;
let looking = false;

/** Changes `old` in place until it equals `fresh`. */
function renew(old: Element, fresh: Element): void {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, place) => {
    const there = before[place];
    if (!there) old.append(document.adoptNode(node));
    else if (there instanceof Element && node instanceof Element && there.nodeName === node.nodeName) renew(there, node);
    else if (there.nodeType !== node.nodeType || there.nodeType === Node.ELEMENT_NODE) there.replaceWith(document.adoptNode(node));
    else if (there.nodeValue !== node.nodeValue) there.nodeValue = node.nodeValue;
  });
  for (const left of before.slice(after.length)) left.remove();
}

function say(text = ""): void {
  told.textContent = text;
}

async function look(): Promise<void> {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.status === 401) {
    stop();
    say(words["ended"]);
    button.remove();
    return;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const board = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const section of main.querySelectorAll(":scope > section[id]")) {
    const fresh = board.getElementById(section.id);
    if (fresh) renew(section, fresh);
  }
  say(words["seen"]?.replace("{time}", new Date().toLocaleTimeString(document.documentElement.lang)));
}

/** Runs one refresh at a time; the next is scheduled when it ends. */
async function go(): Promise<void> {
  stop();
  if (paused || looking || document.hidden) return;
  looking = true;
  try {
    await look();
  } catch {
    say(words["away"]);
  }
  looking = false;
  if (!paused && button.isConnected) timer = window.setTimeout(go, EVERY_MS);
}

function stop(): void {
  window.clearTimeout(timer);
}

function toggle(): void {
  paused = !paused;
  button.textContent = (paused ? words["goOn"] : words["pause"]) ?? "";
  if (paused) stop();
  else void go();
}

const fresh = document.createElement("div");
fresh.className = "fresh";
told.className = "quiet";
say(words["renewed"]);
button.textContent = words["pause"] ?? "";
button.className = "button";
button.addEventListener("click", toggle);
fresh.append(told, button);
main.prepend(fresh);
document.addEventListener("visibilitychange", () => document.hidden || void go());
timer = window.setTimeout(go, EVERY_MS);

export {};
