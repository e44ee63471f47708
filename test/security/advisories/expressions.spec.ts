import { MatrixWorld, type Tenant } from '@trunkline/app-gateway/testing';
import { compileCondition, compileExpression, compileMapping } from '@trunkline/mapping';

jest.setTimeout(180_000);

/** Ways out of JavaScript expression sandboxes, as published for workflow tools and template engines: constructor and prototype chains, spellings that a filter misses, host objects, stack frames. */
const escapes = [
  'event.constructor', 'event["constructor"]', 'event["const" + "ructor"]', 'event.constructor.constructor("return process")()', '"".constructor.constructor("return globalThis")()', '[].constructor.constructor("return process")()', '(1).constructor.constructor("return process")()', 'event.__proto__', 'event["__proto__"]["toString"]', 'event.data.__proto__.polluted', 'event.toString.constructor("return process")()', 'event.hasOwnProperty("id")', 'event.valueOf()', 'event.__defineGetter__("id", event.toString)', 'event.__lookupGetter__("__proto__")',
  'this', 'this.constructor', 'this.process.env', 'globalThis', 'global.process', 'window', 'self', 'process', 'process.env', 'process.mainModule.require("child_process").execSync("id")', 'process.getBuiltinModule("child_process")', 'require("fs")', 'require("child_process").execSync("id").toString()', 'import("fs")', 'module.constructor._load("fs")', 'Function("return process")()', 'new Function("return process")()', 'eval("1")', 'setTimeout("1")', 'Reflect.construct(Function, ["return process"])()', 'Object.getPrototypeOf(event)', 'Object.prototype', 'Array.from({length: 1}, x => process)', 'arguments.callee.caller', 'Error.prepareStackTrace', 'new Error().stack', 'Symbol.species', 'WebAssembly', 'Buffer.from("a")', '$env', '$evaluateExpression("1")', '$jmespath(event, "constructor")', '$input.constructor', '$eval("1")', '$now.constructor', '{{ 1 }}', '={{ $json }}', '${process}', '`${process}`', '#{process}', '<%= process %>', 'event?.constructor', 'event.data?.["constructor"]', 'event.data.map(x, x.constructor)', 'event.data.all(constructor, constructor.constructor)', '[event].map(e, e.constructor)', 'cel.bind(x, event, x.constructor)', 'has(event.constructor)', 'default(event.constructor, "no")', 'coalesce(event.__proto__, "no")', 'lookup(event, "constructor")', 'lookup(event, "__proto__")', 'mapValue("constructor", {"a": "b"})', 'mapValue("__proto__", event.data)', 'steps.constructor', 'steps["constructor"]', 'steps.__proto__', 'type(event)', 'dyn(event).constructor', 'event.constructor', 'event.\\u0063onstructor', 'event["\\u0063onstructor"]', 'event["\\x63onstructor"]', 'event["__pro" + "to__"]', 'event[["constructor"]]', 'function () { return process }()', '() => process', '(x => x.constructor)(event)', 'async () => 1', 'delete event.id', 'event.id = "x"', 'event.data.x++', '1; process', '1 /* */ ; process', '1, process', '"a" in process', 'typeof process', 'void 0', 'new Date()', 'with (event) { id }', 'class A {}', '/a/.constructor', 'regex("a", "(?{process})")', 'format("%s", process)', 'join([event.constructor], "")',
] as const;

const context = () => ({ event: { id: 'e-1', type: 't', source: '/s', subject: null, data: { a: 'b', list: [1, 2] } }, steps: {}, now: '2026-11-20T00:00:00Z' });

/** What an expression gave: plain data, or the code it was refused with. */
function outcome(work: () => unknown): { readonly kind: 'data'; readonly value: unknown } | { readonly kind: 'refused'; readonly code: string } {
  try {
    return { kind: 'data', value: work() };
  } catch (error) {
    return { kind: 'refused', code: (error as { readonly code?: string }).code ?? `an error of ours: ${String(error)}` };
  }
}

describe('n8n CVE-2025-68613, CVE-2026-1470, CVE-2026-25049, CVE-2026-27577: no way out of an expression', () => {
  let world: MatrixWorld;
  let own: Tenant;

  beforeAll(async () => {
    world = await MatrixWorld.start();
    own = await world.tenant('Harbour City Council', 'escalation');
  }, 120_000);
  afterAll(() => world?.close(), 60_000);

  it.each([
    ['a condition', (source: string) => compileCondition(source).holds(context())],
    ['an input', (source: string) => compileExpression(source).evaluate(context())],
    ['a mapping', (source: string) => compileMapping({ a: { cel: source } }).map(context())],
    ['a path', (source: string) => compileMapping({ a: { path: source } }).map(context())],
  ])('in %s: refused with a code, or plain data that the event holds itself', (_, evaluate: (source: string) => unknown) => {
    const before = [...Object.getOwnPropertyNames(Object.prototype), ...Object.getOwnPropertyNames(Function.prototype)];
    const got = escapes.map((source) => ({ source, ...outcome(() => evaluate(source)) }));
    // Nothing but numbers, texts, booleans, lists and objects of these; no function, no host object.
    expect(got.filter((each) => each.kind === 'data' && JSON.stringify(structuredClone(each.value)) !== JSON.stringify(each.value))).toEqual([]);
    expect(got.filter((each) => each.kind === 'data' && /function|native code|\[object |PATH=|"version":"v\d/.test(JSON.stringify(each.value) ?? ''))).toEqual([]);
    expect(got.filter((each) => each.kind === 'refused' && !/^(?:condition|expression|mapping|path)\./.test(each.code))).toEqual([]);
    expect(got.filter(({ kind }) => kind === 'refused').length).toBeGreaterThan(escapes.length * 0.85);
    expect([...Object.getOwnPropertyNames(Object.prototype), ...Object.getOwnPropertyNames(Function.prototype)]).toEqual(before);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('over HTTP: somebody who may change chains gets a refusal by name or saves what means nothing', async () => {
    const step = (rest: object) => ({ steps: [{ name: 'one', integration: own.integration, priority: 10, action: 'push_summary', ...rest }] });
    const odd: unknown[] = [];
    for (const source of escapes) {
      for (const body of [step({ condition: source }), step({ input: { subject: { cel: source } } }), step({ input: { subject: { path: source } } })]) {
        const answer = await world.gateway.send('POST', '/api/chains/escalation/check', body, own.admin);
        if (answer.status !== 200 || /native code|node:internal|node_modules/.test(answer.text)) odd.push({ source, status: answer.status, text: answer.text });
      }
    }
    expect(odd).toEqual([]);
    const refused = await world.gateway.send('PUT', '/api/chains/escalation', step({ condition: escapes[3] }), { ...own.admin, 'if-match': '"1"' });
    expect([refused.status, refused.body['code']]).toEqual([422, 'chain.invalid']);
    expect(world.gateway.bugs).toEqual([]);
  });
});
