/** Reads values by names from outside, which may equal inherited members such as `constructor`. */

/** Returns the object's own property. */
export function ownValue<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}
