import { setTimeout as wait } from 'node:timers/promises';
import type { CouncilEvent } from './service-requests.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** A test reads what it expects to find; what is not there fails the comparison. */
  readonly json: Loose;
}

export type Loose = { readonly [name: string]: Loose } & { readonly length: number; map<Out>(each: (item: Loose) => Out): Out[] };

/** The gateway as one key's holder sees it. */
export class GatewayClient {
  constructor(
    readonly url: string,
    private readonly apiKey: string,
  ) {}

  /** As its answer asks for, repeated where a gateway that has not met the key was not told of it within its second; not for ever, for it may be the answer that is meant. */
  async ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.askOnce(method, path, body, headers);
      if (answer.status !== 503 || tries === 4 || String(answer.json['code']) !== 'identity.unavailable') return answer;
      await wait(1_100);
    }
  }

  private async askOnce(method: string, path: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      // For a test that would never end; how long an answer may take is measured where it is promised.
      signal: AbortSignal.timeout(60_000),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: parsed(text) };
  }

  publish(events: readonly CouncilEvent[]): Promise<Answer> {
    return this.ask('POST', '/api/events', events, { 'content-type': 'application/cloudevents-batch+json' });
  }

  /** As a well-behaved publisher: repeats the same batch until it is accepted. Resolves with the run ids by event id. */
  async publishSurely(events: readonly CouncilEvent[], patienceMs = 30_000): Promise<ReadonlyMap<string, string>> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const answer = await this.publish(events).catch((error: unknown) => String(error));
      if (typeof answer !== 'string' && answer.status === 202) return new Map(answer.json['receipts']?.map((receipt) => [String(receipt['id']), String(receipt['run_id'])] as const));
      const said = typeof answer === 'string' ? answer : `${answer.status} ${answer.text}`;
      if (performance.now() > giveUpAt || (typeof answer !== 'string' && answer.status !== 503)) throw new Error(`publishing: ${said}`);
      await wait(100);
    }
  }
}

function parsed(text: string): Loose {
  try {
    return JSON.parse(text) as Loose;
  } catch {
    // Pages and empty answers are part of what is tested; their text is there.
    return {} as Loose;
  }
}
