/**
 * Every point at which a process can be made to die, and what is true there. Each stands at exactly one place in the code and has at least one row in test/failpoints;
 * the build fails otherwise.
 */
export const failpoints = {
  'gateway.beforeProduce': 'events are read and valid; nothing is durable',
  'gateway.afterProduce': 'events are durable; the 202 is not written',
  'verbs.afterReplay': 'a replay is committed; the answer is not written',
  'log.afterAppend': 'records are durable in the log; whoever appended them does not know',
  'log.beforePositions': 'records are taken care of; their offsets are not committed',
  'log.afterPositions': 'offsets are committed; the process does not know',
  'ledger.beforeCommit': 'a flush is on its way or written; its COMMIT is not sent',
  'ledger.afterCommit': 'a flush is committed; its commands are not sent',
  'ledger.afterSend': 'commands are durable in the log; their dispatch is not marked as sent',
  'ledger.afterDueClaim': 'due work is leased; nothing has been done about it',
  'ledger.afterBacklogLease': 'ready steps behind a gate are leased; none has been let through',
  'ledger.afterRedrive': 'a dead-lettered record is back in its topic; its letter is open',
  'outbox.afterLease': 'unsent commands of a dead instance are leased; none has been sent',
  'outbox.afterResend': 'unsent commands of a dead instance are sent; their dispatch is not marked',
  'sweeper.afterLease': 'overdue dispatches are leased; no step has been looked at',
  'sweeper.afterVoid': '"never started" is written as a void intent; the transaction is open',
  'sweeper.beforeForget': 'swept steps are committed; their dispatch still stands',
  'worker.afterIntent': 'the intent is committed; no byte has been sent',
  'worker.afterToken': 'the provider has issued an access token; nobody has used it',
  'oauth.afterRefreshBeforeStore': 'the provider has refreshed a grant, and may have ended the old refresh token; the new one is not stored',
  'worker.beforeHttp': 'the write is about to leave',
  'worker.afterHttp': 'the provider has answered the write; no result is produced',
  'worker.beforeResult': 'results are about to be appended',
  'worker.afterResult': 'results are durable; their commands are not finished',
  'worker.afterHandover': 'the hand-over row of a running call is committed; its command is not passed',
  'settle.afterSearch': 'the provider has answered a look-up; no finding is produced',
} as const satisfies Readonly<Record<string, string>>;

export type FailpointName = keyof typeof failpoints;
