import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { journalFile, readKeptCalls, type JournalEntry } from '@trunkline/simulators';
import type { CallLimit } from '../council.js';
import type { CallWindowEvidence, EffectEvidence } from '../checker/evidence.js';

/** Records that are the effect of a step; contacts and the like are none. */
const effectTypes = new Set(['note', 'WorkRequest', 'Task', 'keyed', 'searched', 'upserted', 'once']);

/** Straight from the disk: what is written there was done, whatever the process says. Line by line, since bodies are large and not needed. */
export async function readEffects(provider: string, dataDir: string): Promise<readonly EffectEvidence[]> {
  const effects: EffectEvidence[] = [];
  const file = journalFile(dataDir);
  if (!existsSync(file)) return effects;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const entry = parsed(line);
    if (entry === null || !effectTypes.has(entry.recordType)) continue;
    const eventId = /Request ([^\s:"]+):/.exec(JSON.stringify(entry.body))?.[1] ?? '(none)';
    effects.push({ provider, recordType: entry.recordType, kind: entry.kind, recordId: entry.recordId, eventId, reference: entry.effectReference ?? '(none)', atMs: Date.parse(entry.at) });
  }
  return effects;
}

/** A torn last line was never answered. */
function parsed(line: string): JournalEntry | null {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return null;
  }
}

/** Token calls are in no limit. */
export async function readCallWindow(limit: CallLimit, dataDir: string): Promise<CallWindowEvidence> {
  const atMs: number[] = [];
  for await (const call of readKeptCalls(dataDir)) {
    if (call.operation !== 'token' && call.operation !== 'unknown' && call.path.startsWith(limit.pathPrefix)) atMs.push(call.atMs);
  }
  return { provider: limit.provider, pathPrefix: limit.pathPrefix, limit: limit.calls, windowMs: limit.windowMs, atMs };
}
