import { defineError } from '@trunkline/contracts';

export const HeartbeatStale = defineError('worker.heartbeat_stale', {
  class: 'unavailable',
  http: 503,
  title: 'This worker may no longer own the partition',
  fix: 'Nothing: the record is given again, here or to the partition\'s new owner. If it lasts, look at the connection to the event log.',
});

export const CredentialsUnreadable = defineError('integration.credentials_unreadable', {
  class: 'auth',
  http: 409,
  title: 'The integration\'s credentials cannot be read',
  fix: 'Enter the credentials again, and check that every master key that was ever used is still configured.',
});
