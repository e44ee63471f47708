/** Shorter values are words that may stand anywhere: hiding them would hide what happened. */
const shortestSecret = 8;

/** P10: a provider may repeat in its answer what it was sent. Hides the values of credentials and tokens wherever they stand in what leaves this lib. */
export class Concealment {
  private readonly hidden = new Set<string>();

  constructor(credentials: Readonly<Record<string, unknown>>) {
    for (const value of Object.values(credentials)) if (typeof value === 'string') this.hide(value);
    const { client_id: id, client_secret: secret } = credentials;
    if (typeof id === 'string' && typeof secret === 'string') this.hide(Buffer.from(`${id}:${secret}`).toString('base64'));
  }

  hide(secret: string): void {
    if (secret.length < shortestSecret) return;
    for (const form of [secret, encodeURIComponent(secret)]) this.hidden.add(JSON.stringify(form).slice(1, -1));
  }

  /** The same data; copied only when something had to be hidden. */
  apply<T>(data: T): T {
    const text = JSON.stringify(data);
    const found: string[] = [];
    for (const secret of this.hidden) if (text.includes(secret)) found.push(secret);
    if (found.length === 0) return data;
    return JSON.parse(found.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text)) as T;
  }
}
