import { defineError } from '@trunkline/contracts';

export const InputIncomplete = defineError('input.incomplete', {
  class: 'data',
  http: 422,
  title: 'The step\'s input does not hold what the action needs',
  fix: 'Compare the step\'s input mapping with the action\'s fields, then redrive the dead letter.',
});

export const SettingsIncomplete = defineError('integration.settings_incomplete', {
  class: 'usage',
  http: 422,
  title: 'The integration\'s settings are not complete',
  fix: 'Fill in what is named, then test the connection.',
});
