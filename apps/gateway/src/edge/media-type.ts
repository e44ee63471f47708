/** The media type of a Content-Type header, or null when it is malformed or asks for anything but UTF-8. Only `charset=utf-8` is understood as a parameter: what a lenient parser reads differently from a strict one is refused. */
export function mediaTypeOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  const match = /^([a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+)(?: *; *charset="?utf-8"?)? *;?$/i.exec(header);
  return match?.[1]?.toLowerCase() ?? null;
}
