/** Formats and classifies IP addresses. */

export type Network = "private" | "loopback" | "local" | "public";

/** Returns the address for display. An IPv4-mapped IPv6 address is shown as IPv4. */
export function displayAddress(ip: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1] ?? ip;
}

/** Returns the kind of network that the address belongs to. */
export function networkOf(ip: string): Network {
  const shown = displayAddress(ip).toLowerCase();
  const v4 = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(shown);
  if (!v4) {
    if (shown === "::1") return "loopback";
    if (/^fe[89ab]/.test(shown)) return "local";
    return /^f[cd]/.test(shown) ? "private" : "public";
  }
  const first = Number(v4[1]);
  const second = Number(v4[2]);
  if (first === 127) return "loopback";
  if (first === 169 && second === 254) return "local";
  if (first === 10 || (first === 192 && second === 168) || (first === 172 && second >= 16 && second < 32)) return "private";
  return "public";
}
