import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from '../client/api.js';
import { say } from '../client/output.js';
import { publish } from './publish.js';
import { readServiceRequests, toEvent } from './service-request.js';

/** Feeds rows one by one, from the first that has not been published yet; ends with the rows or the signal. */
export async function trickle(api: Api, options: { readonly file: string; readonly source: string; readonly perSecond: number; readonly from: number; readonly signal: AbortSignal; onPublished(count: number): void }): Promise<void> {
  let index = 0;
  for await (const row of readServiceRequests(options.file, (line, why) => say(`line ${line} was left out: ${why}`))) {
    index += 1;
    if (index <= options.from) continue;
    if (options.signal.aborted) return;
    await publish(api, [toEvent(row, options.source)], Number.POSITIVE_INFINITY);
    options.onPublished(index);
    try {
      await wait(1000 / options.perSecond, undefined, { signal: options.signal });
    } catch (error) {
      if (options.signal.aborted) return;
      throw error;
    }
  }
  if (!options.signal.aborted) say('All rows have been published; the platform stays open for your own events.');
}
