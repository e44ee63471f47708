import { TrunklineError } from '@trunkline/contracts';
import type { Reply } from './call.js';
import { isObject } from './call.js';
import { SimulatorArgumentWrong } from './errors.js';
import { readJournal } from './journal.js';
import type { Simulator } from './simulator.js';

export interface ControlRequest {
  readonly method: string;
  /** Without the `/_control` in front. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

type ControlRoute = (request: ControlRequest) => Reply | Promise<Reply>;

/** The side the provider does not have: look at what happened, and make things go wrong. */
export class Control {
  private readonly routes: Readonly<Record<string, ControlRoute>>;

  constructor(
    private readonly simulator: Simulator,
    private readonly dataDir: string,
    private readonly instance: string,
  ) {
    this.routes = {
      'GET /stats': () => ok(this.stats()),
      'GET /calls': ({ query }) => ok({ total: simulator.calls.total, unknownRoutes: simulator.calls.unknownRoutes, calls: simulator.calls.list(query.get('operation') ?? undefined, count(query, 'limit', 10_000)) }),
      'GET /token-calls': () => ok({ total: simulator.authorization.calls.length, calls: simulator.authorization.calls }),
      'POST /revoke-grants': () => this.switchAccess(() => simulator.authorization.revokeGrants()),
      'GET /records': ({ query }) => ok(this.records(query)),
      'GET /journal': ({ query }) => this.journal(query),
      'GET /faults': () => ok({ faults: simulator.faults.list(simulator.clock.now()) }),
      'POST /faults': ({ body }) => ok({ fault: simulator.faults.add(parse(body), simulator.clock.now()) }, 201),
      'DELETE /faults': ({ query }) => this.clearFaults(query.get('id')),
      'GET /clock': () => ok({ now: simulator.clock.isoNow(), aheadMs: simulator.clock.aheadMs }),
      'POST /clock': ({ body }) => this.advance(parse(body)),
      'POST /revoke': () => this.switchAccess(() => simulator.tokens.revoke()),
      'POST /restore': () => this.switchAccess(() => simulator.tokens.restore()),
      'POST /expire-tokens': () => this.switchAccess(() => simulator.tokens.expireAll()),
      'GET /settings': () => ok(simulator.settings),
      'PUT /settings': ({ body }) => ok(simulator.configure(parse(body))),
    };
  }

  async handle(request: ControlRequest): Promise<Reply> {
    const route = this.routes[`${request.method} ${request.path}`];
    if (route === undefined) return { status: 404, body: { code: 'simulator.no_such_control', known: Object.keys(this.routes) } };
    try {
      return await route(request);
    } catch (error) {
      if (!(error instanceof TrunklineError)) throw error;
      return { status: error.definition.http, body: { code: error.code, title: error.message, fix: error.definition.fix, ...error.facts } };
    }
  }

  private stats(): unknown {
    const { simulator } = this;
    return {
      instance: this.instance,
      provider: simulator.provider.id,
      pid: process.pid,
      now: simulator.clock.isoNow(),
      effects: simulator.effects.last,
      callsInHand: simulator.callsInHand,
      tokensIssued: simulator.tokens.issued,
      isRevoked: simulator.tokens.isRevoked,
      settings: simulator.settings,
      ...simulator.calls.figures(),
      windows: simulator.limiter.windows(),
    };
  }

  private records(query: URLSearchParams): unknown {
    const { store } = this.simulator;
    const wanted = query.get('type');
    const limit = count(query, 'limit', 10_000);
    const types = wanted === null ? store.types() : [wanted];
    return Object.fromEntries(types.map((type) => [type, { total: store.size(type), records: [...store.all(type)].slice(0, limit) }]));
  }

  private async journal(query: URLSearchParams): Promise<Reply> {
    const after = count(query, 'after', 0);
    const entries = (await readJournal(this.dataDir)).filter(({ seq }) => seq > after).slice(0, count(query, 'limit', Number.MAX_SAFE_INTEGER));
    if (query.get('format') !== 'ndjson') return ok({ lastSeq: this.simulator.effects.last, entries });
    return { status: 200, text: entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''), contentType: 'application/x-ndjson' };
  }

  private clearFaults(id: string | null): Reply {
    this.simulator.faults.clear(id === null ? undefined : Number(id));
    return { status: 204 };
  }

  private advance(body: unknown): Reply {
    const byMs = isObject(body) ? body['advanceMs'] : undefined;
    if (typeof byMs !== 'number' || !Number.isFinite(byMs) || byMs < 0) throw SimulatorArgumentWrong.because('advanceMs is a number of milliseconds, 0 or more');
    const { clock, state } = this.simulator;
    clock.advance(byMs);
    state.change({ clockAheadMs: clock.aheadMs });
    return ok({ now: clock.isoNow(), aheadMs: clock.aheadMs });
  }

  private switchAccess(change: () => void): Reply {
    change();
    return ok({ isRevoked: this.simulator.tokens.isRevoked });
  }
}

function ok(body: unknown, status = 200): Reply {
  return { status, body };
}

function count(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  if (!/^\d{1,15}$/.test(text)) throw SimulatorArgumentWrong.because(`${name} is a whole number`);
  return Number(text);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw SimulatorArgumentWrong.from(error, 'reading the body as JSON');
  }
}
