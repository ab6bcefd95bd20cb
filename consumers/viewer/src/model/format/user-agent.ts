/** Summarizes a User-Agent header as a program and a system. For display only. */

export interface UserAgent {
  /** "Chrome 126" or "aws-cli 1.16". For an unknown program, the beginning of the header. */
  program: string;
  /** "macOS" or "iOS 17". "" if unknown. */
  system: string;
}

/** The first match wins, since browsers also include the names of those further down the list. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:Edg|EdgA|EdgiOS)\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\bVivaldi\/(\d+)/, "Vivaldi"],
  [/\bSamsungBrowser\/(\d+)/, "Samsung Internet"],
  [/\bElectron\/(\d+)/, "Electron"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\bHeadlessChrome\/(\d+)/, "Headless Chrome"],
  [/\b(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+)\S* (?:Mobile\/\S+ )?Safari\//, "Safari"],
  [/\bMSIE (\d+)/, "Internet Explorer"],
  [/\bTrident\/.*\brv:(\d+)/, "Internet Explorer"],
];

const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\bWindows\b/i, "Windows"],
  [/\b(?:iPhone|iPad).*? OS (\d+)/, "iOS"],
  [/\bAndroid(?: (\d+))?/i, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac OS X\b|\bmacOS\b|\bDarwin\b/i, "macOS"],
  [/\bLinux\b/i, "Linux"],
];

const PRODUCT = /^([^\s/()[\]]+)\/v?(\d+(?:\.\d+)?)/;
const BOT = /\(compatible; ([^/;)]+)(?:\/(\d+(?:\.\d+)?))?/;
const MAX_LENGTH = 40;

export function parseUserAgent(text: string): UserAgent {
  const inner = text.trim().replace(/^\[(.*)\]$/s, "$1");
  return { program: program(inner), system: system(inner) };
}

function program(text: string): string {
  const bot = text.startsWith("Mozilla/") && !/\bMSIE\b/.test(text) ? BOT.exec(text) : null;
  if (bot) return named(bot[1] as string, bot[2]);
  for (const [pattern, name] of BROWSERS) {
    const found = pattern.exec(text);
    if (found) return named(name, found[1]);
  }
  const product = text.startsWith("Mozilla/") ? null : PRODUCT.exec(text);
  if (product) return named(product[1] as string, product[2]);
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}

function system(text: string): string {
  for (const [pattern, name] of SYSTEMS) {
    const found = pattern.exec(text);
    if (found) return named(name, found[1]);
  }
  return "";
}

function named(name: string, version: string | undefined): string {
  return version ? `${name} ${version}` : name;
}
