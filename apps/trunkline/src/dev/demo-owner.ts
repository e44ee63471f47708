import { randomBytes } from 'node:crypto';
import { createPeople } from '@trunkline/identity';
import type { Databases } from '@trunkline/storage';

/** Who signs in to the demo. The password is this checkout's own; there is none by default. */
export interface DemoOwner {
  readonly email: string;
  readonly password: string;
}

export function newDemoOwner(): DemoOwner {
  return { email: 'owner@harbour.example', password: randomBytes(12).toString('base64url') };
}

/** Makes the demo's owner by the same one-time token as any first owner; afterwards the demo has no token left to be found. Somebody who set the platform up already stays. */
export async function seedOwner(databases: Databases, organisationId: string, owner: DemoOwner): Promise<void> {
  const { setup } = createPeople({ databases });
  const token = await setup.offer();
  if (token !== null) await setup.complete(token, { ...owner, name: 'Demo owner', organisation: { id: organisationId } });
}
