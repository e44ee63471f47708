import type { Api } from '../client/api.js';
import { say } from '../client/output.js';
import { publish } from '../feed/publish.js';
import { readServiceRequests, toEvent, type ContactEvent } from '../feed/service-request.js';

const batchSize = 50;

export interface Replayed {
  readonly accepted: number;
  readonly runIds: ReadonlyMap<string, string>;
  readonly refused: number;
  readonly startedAtMs: number;
}

/** Publishes rows as fast as they are accepted, one batch after another so that contacts about one place keep their order. */
export async function replayRows(api: Api, file: string, wanted: number, source: string): Promise<Replayed> {
  const startedAtMs = Date.now();
  const runIds = new Map<string, string>();
  let refused = 0;
  let read = 0;
  let batch: ContactEvent[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const answer = await publish(api, batch, 60_000);
    for (const receipt of answer.receipts) runIds.set(receipt.id, receipt.run_id);
    for (const { index, problem } of answer.refused) say(`refused ${batch[index]?.id ?? '?'}: ${problem.title}${problem.detail === undefined ? '' : `: ${problem.detail}`}`);
    refused += answer.refused.length;
    batch = [];
    say(`replayed ${runIds.size} of ${wanted}`);
  };
  for await (const row of readServiceRequests(file, (line, why) => say(`line ${line} of ${file} was left out: ${why}`))) {
    if (read === wanted) break;
    read += 1;
    batch.push(toEvent(row, source));
    if (batch.length === batchSize) await flush();
  }
  await flush();
  if (read < wanted) say(`${file} holds ${read} usable rows, ${wanted - read} fewer than asked for.`);
  return { accepted: runIds.size, runIds, refused, startedAtMs };
}
