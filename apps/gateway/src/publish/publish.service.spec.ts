import type { LogRecord } from '@trunkline/event-log';
import { PublishService } from './publish.service.js';

const organisationId = '0a4b0c0d-0000-4000-8000-000000000001';
const request = {
  headers: { 'content-type': 'application/cloudevents+json' },
  body: Buffer.from(JSON.stringify({ specversion: '1.0', id: '1', source: '/spec', type: 'conversation_ended', data: { conversation_id: '1' } })),
};
const knownTypes = { refusalOf: () => Promise.resolve(null) };
const noBacklog = { holds: () => false };

/** Appends that end when the test says so. */
function heldAppends() {
  const calls: { readonly timeoutMs: number; end(): void }[] = [];
  const append = (_topic: string, _records: readonly LogRecord[], timeoutMs: number): Promise<void> => new Promise((resolve) => calls.push({ timeoutMs, end: resolve }));
  return { calls, append };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it('P1: gives no receipt before the append has resolved', async () => {
  const appends = heldAppends();
  let answered: unknown = null;
  const publishing = new PublishService(knownTypes, appends, noBacklog, 2_000).publish(request, organisationId, performance.now()).then((published) => (answered = published));
  await turn();
  expect(appends.calls).toHaveLength(1);
  expect(answered).toBeNull();
  appends.calls[0]?.end();
  await publishing;
  expect(answered).toMatchObject({ status: 202, body: { receipts: [{ id: '1' }] } });
});

it('has one deadline from the arrival of the request: what the key look-up took, the append no longer has', async () => {
  const appends = heldAppends();
  const publishing = new PublishService(knownTypes, appends, noBacklog, 200_000).publish(request, organisationId, performance.now() - 150_000);
  await turn();
  expect(appends.calls[0]?.timeoutMs).toBeLessThanOrEqual(50_000);
  appends.calls[0]?.end();
  await publishing;
});

it('answers 503 at that deadline while the types of the organisation cannot be read', async () => {
  const silent = { refusalOf: () => new Promise<null>(() => undefined) };
  const publishing = new PublishService(silent, heldAppends(), noBacklog, 2_000).publish(request, organisationId, performance.now() - 1_990);
  await expect(publishing).rejects.toMatchObject({ code: 'gateway.event_types_unavailable', definition: { http: 503 } });
});
