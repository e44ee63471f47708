import { defineError } from '@trunkline/contracts';

export const ConfigInvalid = defineError('config.invalid', {
  class: 'usage',
  http: 500,
  title: 'The configuration is not usable',
  fix: 'Set the environment variables named here and start again.',
});

export const TopicUnhandled = defineError('service.topic_unhandled', {
  class: 'bug',
  http: 500,
  title: 'A topic has no handler',
  fix: 'Add a @BatchHandler or @RecordHandler for it; records nobody handles would be lost from sight.',
});

export const HandlerInvalid = defineError('service.handler_invalid', {
  class: 'bug',
  http: 500,
  title: 'A handler cannot be connected to the event log',
  fix: 'Name topics of the registry that this app consumes, once per consumer group.',
});

export const OpsPortTaken = defineError('service.ops_port_taken', {
  class: 'usage',
  http: 500,
  title: 'The operations port cannot be opened',
  fix: 'Choose another port, or 0 for any free one.',
});
