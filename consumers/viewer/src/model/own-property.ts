/** Reads values by untrusted names, which may be the same as those of inherited members such as `constructor`. */

/** Returns the object's own property, or undefined if it has none with this name. */
export function ownValue<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
