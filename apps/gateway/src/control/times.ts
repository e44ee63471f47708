/** Times leave as RFC 3339 in UTC. */
export function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export function epochMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}
