/** The reader's own kind of a language (en-GB for en), for dates and numbers. */
export function localeOf(language: string, wishes: readonly string[] = navigator.languages): string {
  return wishes.find((one) => one.toLowerCase().split("-")[0] === language && wellFormed(one)) ?? language;
}

/** Some systems give their browser names of their own, such as en-US@posix. */
function wellFormed(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
