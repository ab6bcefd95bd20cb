/**
 * Copies text. In a frame without permission for the Clipboard API, it falls back to `execCommand`, which only requires
 * a user gesture.
 */

/** Resolves to whether the text was copied. A temporary textarea is added to `within`. */
export async function copyText(text: string, within: HTMLElement | DocumentFragment): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text, within);
  }
}

function copyByCommand(text: string, within: HTMLElement | DocumentFragment): boolean {
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
