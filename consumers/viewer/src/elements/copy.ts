/** Copying text. A frame may lack the permission for today's way of it; the older way needs none, and a press. */

/** Whether the text is on the clipboard now. `within` is where a field may be for a moment. */
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
