/**
 * Who may import whom. Arrows point down only: app → lib → contracts → pure libs; a lib is entered by its door.
 * Each rule has a folder of its name under test/architecture/fixtures/boundaries that breaks it; paths are therefore matched anywhere, not from the root.
 */

/** Lowest first. A lib imports libs of lower floors only. */
const floors = [
  ['chain'],
  ['mapping'],
  ['contracts'],
  ['vault', 'outbound', 'local-services', 'failpoints'],
  ['event-log', 'connectors', 'simulators'],
  ['storage', 'telemetry'],
  ['identity', 'service', 'custody', 'audit', 'grants'],
  ['ledger', 'worker'],
];

const lib = (names) => `(?:^|/)libs/(?:${names.join('|')})/src/`;
const spec = '\\.spec\\.ts$';
/** Code that only specs run. */
const forTests = `${spec}|/src/testing/|^test/(?!architecture/fixtures)`;

/** Runs on the operator's machine for the operator, without tenants' data in its hands: the command line, the local database and broker, the simulators, the broker that specs kill. */
const forOperators = '(?:^|/)apps/trunkline/|(?:^|/)libs/(?:local-services|simulators)/|/event-log/src/drivers/kafka/broker-under-test\\.ts$';

/** Who else may import what opens connections, and where these lead; everything that a customer or a provider may name goes through `libs/outbound`. */
const otherSockets = [
  ['(?:^|/)libs/outbound/src/', 'the one way out itself'],
  ['/connectors/src/kit/oauth\\.ts$', 'speaks OAuth over the outbound client, which it gives to openid-client in the place of fetch'],
  ['/identity/src/people/openid\\.ts$', 'asks the OpenID provider that the operator names by OIDC_ISSUER'],
  ['/identity/src/rate/network\\.ts$', 'tells IPv6 from IPv4 and opens nothing'],
  ['/event-log/src/drivers/kafka/client\\.ts$', 'connects to the brokers that the operator names by KAFKA_BROKERS, and to those that they name'],
  ['/service/src/ops-server\\.ts$', 'listens'],
].map(([path]) => path);

const layerRules = floors.map((names, floor) => ({
  name: `layer-${names[0]}`,
  comment: `${names.join(', ')} may import ${floor === 0 ? 'no lib' : floors.slice(0, floor).flat().join(', ')} only.`,
  severity: 'error',
  from: { path: `(?:^|/)libs/(${names.join('|')})/src/`, pathNot: forTests },
  to: { path: `(?:^|/)libs/(?:${floors.slice(floor).flat().join('|')})/`, pathNot: '(?:^|/)libs/$1/' },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layerRules,
    { name: 'layer-apps', comment: 'A lib never imports an app.', severity: 'error', from: { path: '(?:^|/)libs/' }, to: { path: '(?:^|/)apps/' } },
    {
      name: 'apps-apart',
      comment: 'Apps meet over the event log. Only the all-in-one app starts others, by their doors.',
      severity: 'error',
      from: { path: '(?:^|/)apps/(?!trunkline/)([^/]+)/' },
      to: { path: '(?:^|/)apps/', pathNot: '(?:^|/)apps/$1/' },
    },
    {
      name: 'door-of-apps',
      comment: 'An app is started by its index.ts.',
      severity: 'error',
      from: { path: '(?:^|/)apps/([^/]+)/|(?:^|/)test/' },
      to: { path: '(?:^|/)apps/[^/]+/src/(?!index\\.ts$|testing/index\\.ts$)', pathNot: '(?:^|/)apps/$1/' },
    },
    {
      name: 'door-of-libs',
      comment: 'A lib is entered by its index.ts, or by testing/index.ts.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/([^/]+)/|^test/(?!architecture/fixtures)' },
      to: { path: '(?:^|/)libs/[^/]+/src/(?!index\\.ts$|testing/index\\.ts$)', pathNot: '(?:^|/)libs/$1/' },
    },
    {
      name: 'door-from-inside',
      comment: 'A lib does not go out by its own door to come in again; that is how circles begin.',
      severity: 'error',
      from: { path: '(?:^|/)libs/([^/]+)/src/', pathNot: forTests },
      to: { path: '(?:^|/)libs/$1/src/index\\.ts$' },
    },
    {
      name: 'testing-from-specs',
      comment: 'What is made for tests stays out of the product.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: forTests },
      to: { path: '/src/testing/' },
    },
    { name: 'chain-imports-nothing', comment: 'The chain engine is a pure function.', severity: 'error', from: { path: lib(['chain']), pathNot: forTests }, to: { pathNot: '(?:^|/)libs/chain/' } },
    {
      name: 'mapping-is-pure',
      comment: 'Expressions reach no file, network, clock or process.',
      severity: 'error',
      from: { path: lib(['mapping']), pathNot: forTests },
      to: { pathNot: '(?:^|/)libs/|node_modules/(?:@marcbachmann/cel-js|re2js)/' },
    },
    {
      name: 'contracts-are-pure',
      comment: 'What travels is data and its schema; only hashing and ajv are needed.',
      severity: 'error',
      from: { path: lib(['contracts']), pathNot: forTests },
      to: { pathNot: '(?:^|/)libs/|^(?:node:)?crypto$|node_modules/(?:ajv|ajv-formats)/' },
    },
    {
      name: 'providers-apart',
      comment: 'A provider never imports another; what two need belongs in the kit.',
      severity: 'error',
      from: { path: '/connectors/src/providers/([^/]+)/' },
      to: { path: '/connectors/src/providers/[^/]+/', pathNot: '/connectors/src/providers/$1/' },
    },
    {
      name: 'simulators-apart',
      comment: 'Simulators are for the command line and for tests.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `(?:^|/)libs/simulators/|(?:^|/)apps/trunkline/|${forTests}` },
      to: { path: '(?:^|/)libs/simulators/' },
    },
    {
      name: 'kafka-behind-the-port',
      comment: 'Kafka is one driver of the event log; nobody else talks to it.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `(?:^|/)libs/(?:event-log|local-services)/|${forTests}` },
      to: { path: 'node_modules/(?:kafkajs|@platformatic/kafka)/' },
    },
    {
      name: 'undici-behind-outbound',
      comment: 'One HTTP client with deadlines, size caps and the address guard.',
      severity: 'error',
      from: { path: lib(['worker', 'connectors', 'ledger']), pathNot: forTests },
      to: { path: 'node_modules/undici/|^(?:node:)?https?$' },
    },
    {
      name: 'sockets-behind-outbound',
      comment: 'No connection leads to a host that a tenant may set, but by the outbound client with its address guard. Databases and brokers are the operator\'s to name.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `${forOperators}|${otherSockets.join('|')}|${forTests}` },
      to: { path: 'node_modules/(?:undici|openid-client|oauth4webapi|axios|got|node-fetch|needle|superagent|ky)/|^(?:node:)?(?:https?|net|tls|dgram|dns(?:/promises)?)$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-code-node',
      comment: 'Nothing a tenant sends is ever run: there is no step of code, no sandbox to get out of, no process to start. Only what runs on the operator\'s machine for the operator starts processes.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `${forOperators}|${forTests}` },
      to: { path: '^(?:node:)?(?:vm|child_process|worker_threads|cluster|repl|inspector(?:/promises)?|wasi|sea)$|node_modules/(?:vm2|isolated-vm|quickjs-emscripten|jsonata|execa)/' },
    },
    {
      name: 'no-file-system',
      comment: 'No path leads from tenants\' data to a file. Three places open one, by names that nobody sends: the API page\'s own assets, the master keys\' file, a failpoint\'s mark on standard error.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `${forOperators}|/gateway/src/documents/documents\\.controller\\.ts$|/vault/src/master-keys\\.ts$|/failpoints/src/failpoint\\.ts$|${forTests}` },
      to: { path: '^(?:node:)?fs(?:/promises)?$' },
    },
    {
      name: 'no-http2',
      comment: 'HTTP/1.1 alone, and no WebSocket: what is not spoken cannot be sent a bad frame.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: forTests },
      to: { path: '^(?:node:)?http2$|node_modules/(?:ws|http2-wrapper|@fastify/websocket|@nestjs/websockets)/' },
    },
    {
      name: 'no-development-packages',
      comment: 'The product runs without development packages.',
      severity: 'error',
      from: { path: '(?:^|/)(?:apps|libs)/', pathNot: `(?:^|/)libs/local-services/|${forTests}` },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    { name: 'no-unknown-packages', comment: 'Every package is declared in package.json, every path leads to a file.', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'no-undeclared-packages', comment: 'A package that another one happens to bring may be gone tomorrow.', severity: 'error', from: {}, to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] } },
    { name: 'no-cycle', comment: 'Nothing depends on itself.', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)dist/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['trunkline-source', 'import', 'require', 'node', 'default', 'types'], extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.node'] },
  },
};
