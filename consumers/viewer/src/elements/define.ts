/**
 * Defines custom elements once per page.
 *
 * If another build or copy of the viewer has already defined its elements, none of this copy's elements are defined,
 * since elements from two copies would not find each other's state.
 */
const OWNER = Symbol.for("auditlane.elements");
const page = globalThis as { [OWNER]?: object };
const copy = {};
const first = (page[OWNER] ??= copy) === copy;
let reported = false;

export function customElement(name: string): (element: CustomElementConstructor) => void {
  return (element) => {
    if (first && !customElements.get(name)) customElements.define(name, element);
    else if (!reported) {
      reported = true;
      console.warn(`auditlane: <${name}> exists, so this copy is not used.`);
    }
  };
}
