/** Nobody there took the order, or nobody said so: the connection was refused or cut, or no answer came. */
export class SimulatorSilent extends Error {}

/** Throws `SimulatorSilent`, or an error that says how the simulator refused. */
export async function askSimulator(url: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
  const what = `${method} ${path} of the simulator at ${url}`;
  const [answer, text] = await answerOf(`${url}/_control${path}`, method, body).catch((error: unknown) => {
    throw new SimulatorSilent(`${what}: ${inWords(error)}`, { cause: error });
  });
  if (!answer.ok) throw new Error(`${what}: ${answer.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

async function answerOf(url: string, method: string, body: unknown): Promise<readonly [Response, string]> {
  const answer = await fetch(url, { method, signal: AbortSignal.timeout(5_000), ...(body !== undefined && { body: JSON.stringify(body) }) });
  return [answer, await answer.text()];
}

/** `fetch` says "fetch failed" and gives the reason as the cause. */
function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
