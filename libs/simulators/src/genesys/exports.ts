import type { Call, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { Route, World } from '../kit/provider.js';
import { contactType } from './contact-record.js';
import { noteType } from './notes.js';
import { bodyOf, newId, notFound } from './shapes.js';

/** Exports are jobs: asked for, found completed later, with an address to download from. */
export const exportRoutes: readonly Route[] = [...exportsOf('Contacts', contactType, '/api/v2/externalcontacts/contacts/exports'), ...exportsOf('Notes', noteType, '/api/v2/externalcontacts/notes/exports')];

function exportsOf(name: string, exported: string, path: string): readonly Route[] {
  const recordType = `export of ${exported}`;
  const shown = (job: StoredRecord, world: World): StoredRecord => ({
    ...job,
    status: 'Completed',
    dateCompletion: job['dateCreated'],
    resultRowCount: world.store.size(exported),
    downloadUrl: `${path}/${String(job['id'])}/rows`,
  });
  const jobOf = (call: Call, world: World): StoredRecord => {
    const job = world.store.get(recordType, call.parameter('exportId'));
    if (job === undefined) throw notFound(call, 'export', call.parameter('exportId'));
    return job;
  };
  const create = (call: Call, world: World): Reply => {
    const id = newId();
    const record = { ...bodyOf(call), id, status: 'Running', dateCreated: new Date(call.at).toISOString(), selfUri: `${path}/${id}` };
    world.commit(call, { kind: 'created', recordType, recordId: id, body: bodyOf(call), record });
    return { status: 202, body: record };
  };
  const list = (call: Call, world: World): Reply => ({ status: 200, body: { entities: [...world.store.all(recordType)].map((job) => shown(job, world)), selfUri: call.pathAndQuery } });
  const rows = (call: Call, world: World): Reply => (jobOf(call, world), { status: 200, body: [...world.store.all(exported)] });
  return [
    { operation: `export${name}`, method: 'POST', path, handle: create },
    { operation: `list${name}Exports`, method: 'GET', path, handle: list },
    { operation: `read${name}Export`, method: 'GET', path: `${path}/{exportId}`, handle: (call, world) => ({ status: 200, body: shown(jobOf(call, world), world) }) },
    { operation: `download${name}Export`, method: 'GET', path: `${path}/{exportId}/rows`, handle: rows },
  ];
}
