/** Values by names that somebody else chose: of every object's inherited members none is a value. */

/** The object's own value of this name. */
export function ownValue<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}
