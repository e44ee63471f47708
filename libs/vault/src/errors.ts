import { defineError } from '@trunkline/contracts';

export const MasterKeysMissing = defineError('vault.keys_missing', {
  class: 'usage',
  http: 500,
  title: 'There is no master key',
  fix: 'Set TRUNKLINE_MASTER_KEYS to `id:key` (key: 32 random bytes in base64, e.g. from `openssl rand -base64 32`) or TRUNKLINE_MASTER_KEYS_FILE to a file with one such line per key. Credentials are never stored in the clear.',
});

export const MasterKeysInvalid = defineError('vault.keys_invalid', {
  class: 'usage',
  http: 500,
  title: 'The master keys cannot be used',
  fix: 'Write each key as `id:key`: the id of letters, digits, `-` and `_`, the key 32 bytes in base64; ids differ; the first key is the one new secrets are sealed with.',
});

export const MasterKeyUnknown = defineError('vault.key_unknown', {
  class: 'auth',
  http: 500,
  title: 'A data key is wrapped by a master key this process does not have',
  fix: 'Add the named key behind the current one in TRUNKLINE_MASTER_KEYS, or ask for the integration to be reconnected.',
});

export const SealBroken = defineError('vault.seal_broken', {
  class: 'auth',
  http: 500,
  title: 'A sealed secret does not fit its place',
  fix: 'It was changed, cut off or moved from another row. Restore it from a backup or reconnect the integration.',
});

export const DataKeyUnknown = defineError('vault.data_key_unknown', {
  class: 'auth',
  http: 500,
  title: 'A secret was sealed with a data key that is not stored',
  fix: 'The row comes from another database or an older backup than the table data_keys. Restore both from one backup, or reconnect the integration.',
});

export const DataKeyDestroyed = defineError('vault.data_key_destroyed', {
  class: 'auth',
  http: 410,
  title: "The organisation's data key was destroyed",
  fix: 'The organisation has left; nothing brings its secrets back. Create a new organisation and connect its systems anew.',
});
