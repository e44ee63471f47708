import { defineError } from '@trunkline/contracts';
import { classifyFailure, isDatabaseAway } from './failure.js';

/** As node-postgres and the sockets below it make them; codes of PostgreSQL 18, appendix A. */
const failure = (message: string, rest: Readonly<Record<string, unknown>> = {}): Error => Object.assign(new Error(message), rest);

it.each([
  ['a refused connection', failure('connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED' })],
  ['several refused addresses', Object.assign(new Error(''), { errors: [failure('connect', { code: 'ECONNREFUSED' })] })],
  ['a connection that ended during a query', failure('Connection terminated unexpectedly')],
  ['a server that is shutting down', failure('terminating connection due to administrator command', { code: '57P01', severity: 'FATAL' })],
  ['a server that is starting', failure('the database system is starting up', { code: '57P03', severity: 'FATAL' })],
  ['a server without free connections', failure('sorry, too many clients already', { code: '53300', severity: 'FATAL' })],
  ['a server that is gone without a word', failure('Query read timeout')],
  ['a pool nobody gives back to', failure('timeout exceeded when trying to connect')],
])('takes %s for a database that is away', (_, error) => {
  expect(classifyFailure(error, 'reading')).toMatchObject({ code: 'storage.unavailable', cause: error });
  expect(isDatabaseAway(error)).toBe(true);
});

it('knows a full disk', () => {
  expect(classifyFailure(failure('could not extend file: No space left on device', { code: '53100', severity: 'ERROR' }), 'writing')).toMatchObject({ code: 'storage.full', definition: { http: 503 } });
});

it('leaves alone what is not about the database being there', () => {
  const duplicate = failure('duplicate key value', { code: '23505', severity: 'ERROR' });
  const forbidden = failure('permission denied for table runs', { code: '42501', severity: 'ERROR' });
  const ours = defineError('spec.ours', { class: 'data', http: 422, title: 'Ours', fix: '-' }).because('x');
  for (const error of [duplicate, forbidden, ours, 'text', null]) {
    expect(classifyFailure(error, 'writing')).toBe(error);
    expect(isDatabaseAway(error)).toBe(false);
  }
});
