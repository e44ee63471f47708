import { Refusal, isObject } from '../kit/call.js';
import type { Call, JsonObject, Reply } from '../kit/call.js';

export type NotificationType = 'Information' | 'Warning' | 'Error';

export function message(code: string, text: string, type: NotificationType = 'Error'): JsonObject {
  return { Code: code, Message: text, NotificationType: type };
}

/** A business refusal answers 200 and says Error in `Messages`; only transport trouble has a status of its own. */
export function refusedItems(code: string, text: string): Reply {
  return { status: 200, body: { Items: [], Messages: [message(code, text)] } };
}

export function errorReply(status: number, text: string): Reply {
  return { status, body: { Message: text, Messages: [message(`HTTP${status}`, text)] } };
}

export function bodyOf(call: Call): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(call.rawBody);
  } catch {
    // The answer says what is wrong with it.
    throw new Refusal(errorReply(400, 'The request body is not valid JSON.'));
  }
  if (!isObject(parsed)) throw new Refusal(errorReply(400, 'The request body must be an object.'));
  return parsed;
}

export function itemsOf(call: Call): readonly JsonObject[] {
  const { Items } = bodyOf(call);
  if (!Array.isArray(Items) || Items.length === 0 || !Items.every(isObject)) throw new Refusal(errorReply(400, 'Items must be a list of objects.'));
  return Items;
}

/** Tenant local time without an offset, as reports show it; the simulated tenant lives in UTC. */
export function localTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, -1);
}

/** What an expired browser session answers to any request: a page, with status 200. */
export function loginPage(): Reply {
  const text = '<!DOCTYPE html><html><head><title>Log On - CiAnywhere</title></head><body><form id="LogOnForm" method="post" action="LogOn"><input name="UserName"/><input name="Password" type="password"/></form></body></html>';
  return { status: 200, text, contentType: 'text/html; charset=utf-8' };
}
