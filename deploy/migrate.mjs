// Brings the database named by DATABASE_URL to the newest shape. Repeatable; several at once wait for each other.
import { TrunklineError } from '@trunkline/contracts';
import { migrate } from '@trunkline/storage';

const say = (line) => process.stderr.write(`${line}\n`);

try {
  if (!process.env.DATABASE_URL) throw new Error('DATABASE_URL is not set');
  const { applied } = await migrate(process.env.DATABASE_URL, { onProgress: say });
  say(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`);
} catch (error) {
  say(error instanceof TrunklineError ? `${error.message}\n${error.definition.fix}` : error.message);
  process.exitCode = 1;
}
