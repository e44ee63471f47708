import { defineError } from '@trunkline/contracts';

export const SimulatorDataInUse = defineError('simulator.data_in_use', {
  class: 'usage',
  http: 409,
  title: 'Another simulator writes to this folder',
  fix: 'Use the running one, stop it, or give this one another --data folder.',
});

export const SimulatorPortTaken = defineError('simulator.port_taken', {
  class: 'usage',
  http: 409,
  title: 'The port is taken',
  fix: 'Give another --port, or 0 for any free one.',
});

export const SimulatorJournalUnreadable = defineError('simulator.journal_unreadable', {
  class: 'bug',
  http: 500,
  title: 'The journal cannot be read',
  fix: 'Move the folder away to keep it as evidence, and start with an empty one.',
});

export const SimulatorArgumentWrong = defineError('simulator.argument_wrong', {
  class: 'usage',
  http: 400,
  title: 'Wrong argument',
  fix: 'Run with --help to see what is accepted.',
});
