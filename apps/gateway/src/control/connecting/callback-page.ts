import { TrunklineError } from '@trunkline/contracts';

/** Nothing on the page runs, loads or leads anywhere. */
export const callbackHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** A whole page of plain text: what happened, and what to do next. */
export function callbackPage(title: string, paragraphs: readonly string[]): string {
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escaped(title)}</title></head>\n<body>\n<h1>${escaped(title)}</h1>\n${paragraphs.map((paragraph) => `<p>${escaped(paragraph)}</p>`).join('\n')}\n</body>\n</html>\n`;
}

export function problemPage({ definition, detail, code }: TrunklineError): string {
  return callbackPage(definition.title, [detail, definition.fix, code]);
}

/** Part of it are a provider's own words (S14). */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
