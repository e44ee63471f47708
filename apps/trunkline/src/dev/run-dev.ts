import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Api } from '../client/api.js';
import { CommandUsage, exitCodes } from '../client/failure.js';
import { say } from '../client/output.js';
import { stateFolder, writeDevFile } from '../client/target.js';
import { trickle } from '../feed/trickle.js';
import { summaryBox } from './box.js';
import { Closing } from './closing.js';
import { drawRuns } from './draw.js';
import { LedgerView } from './ledger-view.js';
import { lockState } from './lock.js';
import type { DevOptions } from './options.js';
import { startPlatform, type RunningPlatform } from './platform.js';
import { readPosition, writePosition } from './position.js';
import { replayRows } from './replay.js';
import { demoOrganisation } from './seed.js';
import { isClean, summarise, tell, untilAllEnded } from './summary.js';

const ownRows = fileURLToPath(new URL('../../data/service-requests.csv', import.meta.url));
/** Names the data set, so that the same row is the same event in every start. */
const eventSource = '/demo/myla311';

/** Runs the platform until Ctrl-C, or until a replay asked to exit; answers with the exit status. */
export async function runDev(options: DevOptions): Promise<number> {
  if (options.exit && options.replay === undefined) throw CommandUsage.because('--exit goes with --replay');
  if (options.file !== undefined && !existsSync(options.file)) throw CommandUsage.because(`--file ${options.file}: there is no such file`);
  const folder = stateFolder();
  const closing = new Closing();
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    say('\nStopping: what is under way is finished first (Ctrl-C again ends at once) …');
    stopping.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    closing.add('lock', lockState(folder));
    const platform = await startPlatform(options, folder, closing, say);
    const notes = platform.notes;
    const devFile = writeDevFile(platform.dev);
    say(summaryBox(platform.dev, devFile, notes));
    return await feed(options, platform, stopping.signal);
  } finally {
    await closing.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    if (stopping.signal.aborted) say('Stopped. `npm start` goes on with the same data, `npm run wipe` removes it.');
  }
}

async function feed(options: DevOptions, platform: RunningPlatform, signal: AbortSignal): Promise<number> {
  const api = new Api({ url: platform.dev.gateway, apiKey: platform.dev.apiKey, organisationId: demoOrganisation.id }, 4);
  const view = new LedgerView(platform.databases, demoOrganisation.id);
  const file = options.file ?? ownRows;
  try {
    let status = 0;
    if (options.replay !== undefined) {
      const replayed = await replayRows(api, file, options.replay, eventSource);
      if (options.file === undefined) writePosition(platform.folder, Math.max(readPosition(platform.folder), options.replay));
      await untilAllEnded(view, replayed, signal);
      const told = await summarise(view, platform.simulators, replayed);
      tell(told, options.output);
      status = isClean(told.summary) ? 0 : exitCodes.failed;
      if (options.exit || signal.aborted) return status;
      say('The platform stays open; Ctrl-C stops it.');
    }
    const feeding = options.replay !== undefined ? Promise.resolve() : trickle(api, { file, source: eventSource, perSecond: options.rate, from: readPosition(platform.folder), signal, onPublished: (count) => writePosition(platform.folder, count) });
    await Promise.all([drawRuns(view, signal), feeding]);
    return status;
  } finally {
    await api.close();
  }
}
