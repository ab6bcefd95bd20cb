/** Help for a reader without a session or with an expired one. */

/** The page that contains the viewer. */
export interface HostPage {
  href: string;
  /** Whether the page is in a frame of another page. */
  framed: boolean;
}

export type WayBack =
  /** A link to the sign-in page, which returns to this page. With `top`, it opens outside the frame. */
  | { kind: "signIn"; href: string; top: boolean }
  /** The page fetches a token whenever it loads. */
  | { kind: "reload" }
  /** Only the page that opened the log can open it again. */
  | { kind: "reopen" };

/**
 * Returns the way back for a reader, given the sign-in URL ("" if the host has set none) and whether the page uses a
 * token or a browser session.
 *
 * The page outside a frame is not known here, so a link from a frame does not name a page to return to.
 */
export function wayBack(signInUrl: string, hasToken: boolean, page: HostPage): WayBack {
  const url = signInUrl && URL.canParse(signInUrl, page.href) ? new URL(signInUrl, page.href) : null;
  if (url?.protocol === "https:" || url?.protocol === "http:") {
    if (!page.framed) url.searchParams.set("return_to", page.href);
    return { kind: "signIn", href: url.href, top: page.framed };
  }
  return { kind: hasToken ? "reload" : "reopen" };
}
