/** Returns the reader's regional variant of a language (en-GB for en), for dates and numbers. */
export function localeOf(language: string, preferred: readonly string[] = navigator.languages): string {
  return preferred.find((tag) => tag.toLowerCase().split("-")[0] === language && wellFormed(tag)) ?? language;
}

/** Rejects tags that some systems invent, such as en-US@posix. */
function wellFormed(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
