import type { People } from '@trunkline/identity';

/** Shows the token once, to whoever started the gateway and not to the log: a log is read by many and kept for long. */
export async function offerSetup({ setup }: Pick<People, 'setup'>, url: string, announce: (text: string) => void): Promise<void> {
  const token = await setup.offer();
  if (token === null) return;
  announce(`
Nobody owns this Trunkline yet. Within 24 hours, once, this token makes the first owner:

  ${token}

  curl -X POST ${url}/api/setup -H 'content-type: application/json' \\
    -d '{"token":"${token}","organisation":"…","name":"…","email":"…","password":"…"}'

`);
}
