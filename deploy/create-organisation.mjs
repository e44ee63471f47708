// Makes an organisation and its first API key, and prints both once: node deploy/create-organisation.mjs "Harbour City Council"
import { randomUUID } from 'node:crypto';
import { createAuditTrail } from '@trunkline/audit';
import { TrunklineError } from '@trunkline/contracts';
import { createIdentity } from '@trunkline/identity';
import { openDatabases } from '@trunkline/storage';

const [name] = process.argv.slice(2);
const say = (line) => process.stderr.write(`${line}\n`);

if (!name || !process.env.DATABASE_URL) {
  say('Give the name of the organisation, and DATABASE_URL in the environment.');
  process.exitCode = 2;
} else {
  const databases = openDatabases(process.env.DATABASE_URL);
  try {
    const identity = createIdentity({ databases });
    const { id } = await identity.createOrganisation({ name });
    const scopes = ['publish', 'read', 'execute', 'admin'];
    const { apiKey, keyId } = await identity.createApiKey({ organisationId: id, name: 'first key', scopes });
    await createAuditTrail(databases).append(id, { actor: 'operator', address: null, action: 'organisations:create', subject: 'deploy/create-organisation.mjs', outcome: 'done', requestId: randomUUID(), before: null, after: { name, key: { id: keyId, scopes } } });
    process.stdout.write(`${JSON.stringify({ organisation_id: id, api_key: apiKey })}\n`);
    say('The key is shown this once; only its hash is kept.');
  } catch (error) {
    say(error instanceof TrunklineError ? `${error.message}\n${error.definition.fix}` : error.message);
    process.exitCode = 1;
  } finally {
    await databases.close();
  }
}
