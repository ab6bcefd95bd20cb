/** Copies text. A frame may lack the permission of the Clipboard API; the older command only needs a user gesture. */

/** Resolves to whether the text was copied. `within` takes a temporary textarea. */
export async function copyText(text: string, within: HTMLElement | DocumentFragment): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byCommand(text, within);
  }
}

function byCommand(text: string, within: HTMLElement | DocumentFragment): boolean {
  const { activeElement } = within.getRootNode() as Document | ShadowRoot;
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.value = text;
  within.append(field);
  try {
    field.select();
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
  }
}
