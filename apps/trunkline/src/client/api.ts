import { Pool } from 'undici';
import { ApiProblem, Unreachable } from './failure.js';
import type { Target } from './target.js';

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Body;
}

interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly fix?: string;
}

/** The gateway's HTTP API as the command line uses it; refusals are thrown as `ApiProblem`. */
export class Api {
  private readonly pool: Pool;

  constructor(
    private readonly target: Target,
    connections = 32,
  ) {
    this.pool = new Pool(target.url, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 60_000 });
  }

  async call<Body>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    const answer = await this.send(method, path, body === undefined ? undefined : JSON.stringify(body), { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers });
    if (answer.status >= 400) throw problemOf(answer.status, answer.text);
    return { status: answer.status, headers: answer.headers, body: (answer.text === '' ? null : JSON.parse(answer.text)) as Body };
  }

  /** The answer as it is, refusals included. */
  async send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body: string | undefined, headers: Record<string, string>): Promise<{ status: number; headers: Answer<null>['headers']; text: string }> {
    try {
      const answer = await this.pool.request({ method, path, body, headers: { authorization: `Bearer ${this.target.apiKey}`, accept: 'application/json', ...headers } });
      return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
    } catch (error) {
      throw Unreachable.from(error, `${method} ${this.target.url}${path}`);
    }
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

function problemOf(status: number, text: string): ApiProblem {
  let problem: Problem = {};
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    problem = { detail: text.slice(0, 200) };
  }
  return new ApiProblem(status, problem.code ?? `http.${status}`, problem.title ?? `The gateway answered ${status}`, problem.detail ?? '', problem.fix ?? 'See the API page of the gateway (/api/docs).');
}

/** `{a: 1, b: undefined}` → `?a=1`. */
export function query(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]));
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}
