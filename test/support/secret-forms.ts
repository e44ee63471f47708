/** A text inside a longer one that is encoded as a whole begins at any of three places of a group: what then depends on this text alone. */
export function base64Forms(secret: string | Buffer): readonly string[] {
  const bytes = Buffer.from(secret);
  const forms = [0, 1, 2].flatMap((offset) => {
    const from = (3 - offset) % 3;
    const whole = bytes.subarray(from, from + Math.floor((bytes.length - from) / 3) * 3);
    return [whole.toString('base64'), whole.toString('base64url')];
  });
  return [...new Set(forms)];
}

/** As text, as hex, for columns of bytes are dumped so, as base64 and base64url, and as an address or a form would carry it. */
export function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const forms = [secret, encodeURIComponent(secret), new URLSearchParams({ '': secret }).toString().slice(1), JSON.stringify(secret).slice(1, -1), bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64Forms(bytes)];
  return [...new Set(forms)];
}
