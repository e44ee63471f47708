import { providers, type Token } from '@trunkline/connectors';
import { allowEverywhere, createOutbound } from '@trunkline/outbound';
import { openDatabases, openVault } from '@trunkline/storage';
import { StoredGrant } from '../stored-grant.js';

/** A process that calls a provider in the name of a person, over and over, to be killed. It writes a line for each call: what became of it. */
async function main(): Promise<never> {
  const { DATABASE_URL = '', MASTER_KEY = '', ORGANISATION_ID: organisationId = '', INTEGRATION_ID: integrationId = '', PROVIDER_URL = '' } = process.env;
  const databases = openDatabases(DATABASE_URL);
  const outbound = createOutbound({ policy: allowEverywhere });
  const provider = providers.find(({ id }) => id === 'salesforce');
  if (provider === undefined) throw new Error('no Salesforce');
  const grant = new StoredGrant({
    databases, vault: openVault(databases, { keys: [{ id: 'test', key: Buffer.from(MASTER_KEY, 'base64') }], current: 'test' }), organisationId, integrationId, provider,
    settings: { instance_url: PROVIDER_URL }, credentials: { client_id: 'id', client_secret: 'secret' }, send: (request) => outbound.request(request), nowMs: Date.now,
    tuning: { leaseMs: 700, endpointMs: 500, pollMs: 30, restMs: 60 },
  });
  let refused: Token | null = null;
  for (;;) {
    const answer = await grant.obtain(refused);
    if (answer.kind === 'none') process.stdout.write(`${answer.failure.code}\n`);
    else {
      const { status } = await fetch(`${PROVIDER_URL}/services/data/v68.0/limits`, { headers: { authorization: `Bearer ${answer.token.value}` } });
      refused = status === 401 ? answer.token : null;
      process.stdout.write(`${status}\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

void main();
