import type { Header } from '../../port.js';

/** Headers as one run of bytes: order, repeated names and every byte of the values survive. Per header: u16 length, name in UTF-8, u32 length, value. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const names = headers.map(([name]) => Buffer.from(name));
  const size = headers.reduce((sum, [, value], index) => sum + 6 + (names[index]?.length ?? 0) + value.length, 0);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  headers.forEach(([, value], index) => {
    const name = names[index] ?? Buffer.alloc(0);
    at = bytes.writeUInt16BE(name.length, at);
    at += name.copy(bytes, at);
    at = bytes.writeUInt32BE(value.length, at);
    at += value.copy(bytes, at);
  });
  return bytes;
}

export function decodeHeaders(bytes: Buffer): Header[] {
  const headers: Header[] = [];
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 2 + bytes.readUInt16BE(at);
    const name = bytes.toString('utf8', at + 2, nameEnd);
    const valueEnd = nameEnd + 4 + bytes.readUInt32BE(nameEnd);
    headers.push([name, bytes.subarray(nameEnd + 4, valueEnd)]);
    at = valueEnd;
  }
  return headers;
}
