import { Api } from '../client/api.js';

/** The side of a simulator that its provider does not have. */
export async function askSimulator<Body>(url: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Body> {
  const simulator = new Api({ url: new URL(url).origin, apiKey: '', organisationId: null }, 1);
  try {
    return (await simulator.call<Body>(method, `/_control${path}`, body)).body;
  } finally {
    await simulator.close();
  }
}

/** Calls these simulators have had, in all their life. */
export async function providerCalls(simulators: readonly { readonly url: string }[]): Promise<number> {
  const each = await Promise.all(simulators.map(async ({ url }) => (await askSimulator<{ readonly total: number }>(url, 'GET', '/calls?limit=1')).total));
  return each.reduce((sum, total) => sum + total, 0);
}
