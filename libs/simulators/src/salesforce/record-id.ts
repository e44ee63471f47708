const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const checkAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';

/** 15 case-sensitive characters (type, pod, number) and 3 that say which of them are capitals. */
export function recordId(keyPrefix: string, ordinal: number): string {
  let number = '';
  for (let rest = ordinal; rest > 0; rest = Math.floor(rest / 62)) number = `${alphabet[rest % 62] ?? ''}${number}`;
  return withCheck(`${keyPrefix}5g0000${number.padStart(15 - keyPrefix.length - 6, '0')}`);
}

/** The 18-character form of an id given in either form. */
export function fullId(id: string): string {
  return id.length === 15 ? withCheck(id) : id;
}

function withCheck(id: string): string {
  const check = [0, 5, 10].map((start) => {
    let bits = 0;
    for (let offset = 0; offset < 5; offset += 1) if (/[A-Z]/.test(id[start + offset] ?? '')) bits |= 1 << offset;
    return checkAlphabet[bits] ?? 'A';
  });
  return `${id}${check.join('')}`;
}
