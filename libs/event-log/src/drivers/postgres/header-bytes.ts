import type { Header } from '../../port.js';

/** Names are few and the same in every record: their bytes, with the length before them, are kept. The limit is for names that somebody makes up per record. */
const namesKept = 1_000;
const nameBytes = new Map<string, Buffer>();

/** Headers as one run of bytes: order, repeated names and every byte of the values survive. Per header: u16 length, name in UTF-8, u32 length, value. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  let size = 0;
  for (const [name, value] of headers) size += bytesOfName(name).length + 4 + value.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [name, value] of headers) {
    at += bytesOfName(name).copy(bytes, at);
    at = bytes.writeUInt32BE(value.length, at);
    at += value.copy(bytes, at);
  }
  return bytes;
}

function bytesOfName(name: string): Buffer {
  const known = nameBytes.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.alloc(2 + Buffer.byteLength(name));
  bytes.writeUInt16BE(bytes.length - 2);
  bytes.write(name, 2);
  if (nameBytes.size >= namesKept) nameBytes.clear();
  nameBytes.set(name, bytes);
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
