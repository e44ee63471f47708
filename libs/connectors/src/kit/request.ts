import type { CallTemplate } from './call-template.js';
import { SettingsIncomplete } from './errors.js';
import { render, renderFirst, renderText, TemplateGap, type Scope } from './template.js';

/** A request before it is signed. */
export interface BuiltRequest {
  readonly method: CallTemplate['method'];
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

/** Throws `TemplateGap` when the scope lacks a value. */
export function buildRequest(base: URL, call: CallTemplate, scope: Scope): BuiltRequest {
  const url = new URL(base.href.replace(/\/+$/, '') + renderText(call.path, scope, pathSegment));
  for (const [name, template] of Object.entries(call.query ?? {})) url.searchParams.append(name, renderText(template, scope));
  const headers: Record<string, string> = { accept: 'application/json' };
  for (const [name, template] of Object.entries(call.headers ?? {})) headers[name] = headerText(renderText(template, scope));
  if (call.body === undefined) return { method: call.method, url, headers, body: null };
  return { method: call.method, url, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(JSON.stringify(render(call.body, scope) ?? null)) };
}

/** Throws `integration.settings_incomplete`. */
export function baseAddress(templates: readonly string[], scope: Scope): URL {
  let address: string;
  try {
    address = renderFirst(templates, scope);
  } catch (error) {
    if (error instanceof TemplateGap) throw SettingsIncomplete.from(error, error.message);
    throw error;
  }
  if (!URL.canParse(address)) throw SettingsIncomplete.because('the address is not a URL');
  return new URL(address);
}

/** One segment of a path. A URL parser folds `.` and `..` even when they are encoded, and an empty segment names another resource. */
function pathSegment(text: string): string {
  if (/^\.{0,2}$/.test(text)) throw new TemplateGap('input, as a part of an address,');
  return encodeURIComponent(text);
}

/** Header values hold no control characters (RFC 9110 §5.5). */
function headerText(value: string): string {
  return value.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').trim();
}
