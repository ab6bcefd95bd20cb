/** Reads values by untrusted names, which may equal inherited members such as `constructor`. */

/** Returns the object's own property, or undefined. */
export function ownValue<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
