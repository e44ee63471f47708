/** What no import graph and no linter sees: rules over the files of the repository as text. Plain TypeScript that Node runs as it is. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';

export interface Problem {
  readonly rule: string;
  /** `path` or `path:line`. */
  readonly at: string;
  readonly says: string;
}

interface TextFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly lines: readonly string[];
}

interface TreeRule {
  readonly name: string;
  readonly says: string;
  /** One answer per offending place: a line number, or 0 for the file as such. */
  readonly find: (file: TextFile) => readonly number[];
}

const notOurs = new Set(['node_modules', 'dist', '.git', '.nx', '.trunkline', '.cache', 'coverage']);
const textual = /\.(?:ts|tsx|mts|mjs|cjs|js|json|md|ya?ml|sh|sql|html|css|env|npmrc)$|(?:^|\/)(?:Dockerfile|\.npmrc|\.gitignore|run)$/;

export const treeRules: readonly TreeRule[] = [
  {
    name: 'no-machine-path',
    says: 'a path of somebody’s machine; make it relative, or read it from the environment',
    // The official image's own user lives in /home/node.
    find: linesMatching(/(?:^|[\s"'`(=:])(?:\/(?:home|Users)\/(?!node\b)[\w.-]+|\/root\/[\w.]|\/work\/|[A-Z]:\\\\?Users\\)/),
  },
  {
    name: 'no-registry-host',
    says: 'a package registry by its address; the user’s own npm and Maven settings decide',
    find: linesMatching(/https?:\/\/[^\s"']*(?:registry\.|repo\d?\.maven|maven\.org|artifactory|\/nexus|verdaccio|npmjs\.(?:org|com))|"resolved":\s*"https?:/i),
  },
  {
    name: 'no-focused-test',
    says: 'a focused test: the others would not run',
    find: inSpecs(linesMatching(/\b(?:it|test|describe)(?:\.\w+)?\.only\b|^\s*(?:fit|fdescribe)\s*\(/)),
  },
  {
    name: 'no-skipped-test',
    says: 'a skipped test; only a missing outside service may skip one, by `… ? describe : describe.skip`',
    find: inSpecs(linesMatching(/^(?!.*\?.*:\s*(?:it|test|describe)\.skip\b).*\b(?:(?:it|test|describe)(?:\.\w+)?\.(?:skip|todo|failing)\b|(?:^|\s)(?:xit|xtest|xdescribe)\s*\()/)),
  },
  {
    name: 'no-empty-name',
    says: 'a name that says nothing (utils, common, helpers, manager); name what it does',
    find: ({ path }) => (isSource(path) && path.split('/').some((part) => /(?:^|[-.])(?:utils?|commons?|helpers?|managers?|misc)(?:[-.]|$)/i.test(part)) ? [0] : []),
  },
  {
    name: 'no-noise-suffix',
    says: 'a suffix for something that is no Nest role',
    find: ({ path }) => (isSource(path) && /\.(?:interface|type|types|constants?|util|enum|model)\.ts$/.test(path) ? [0] : []),
  },
  {
    name: 'no-enum',
    says: 'an enum; use a union of strings',
    find: inSource(linesMatching(/^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+\s*\{/)),
  },
  {
    name: 'named-exports',
    says: 'a wildcard re-export; name what leaves the lib (types may go together)',
    find: (file) => (/(?:^|\/)libs\/[^/]+\/src\/(?:testing\/)?index\.ts$/.test(file.path) ? linesMatching(/^export \* /)(file) : []),
  },
  {
    name: 'no-tracker-code',
    says: 'a ticket or review number; give the reason instead',
    find: linesMatching(/\b(?:issue|ticket|PR|pull request)s? ?#\d+|\bJIRA-\d+|\b(?:TODO|FIXME)\b/i),
  },
  {
    name: 'no-text-as-code',
    says: 'text that would be run, or loaded by a name made at run time; there is no code node (docs/advisories.md)',
    find: inProduct(linesMatching(/\bgetBuiltinModule\b|\bprocess\.binding\b|\bimport\((?!\s*['"])|(?<![\w.'"])Function\(|\.constructor\(|\brequire\((?!\s*['"])|\.compileFunction\(|\bWebAssembly\b/)),
  },
  {
    name: 'no-other-role',
    says: 'a change of role or owner’s rights inside a session; a pooled connection is one role from its start (docs/advisories.md)',
    // Three functions make and drop whole hours or days of a table, with the owner's rights and no text of anybody's.
    find: (file) => inProduct(linesMatching(/^(?!\s*(?:\/?\*|\/\/)).*(?:\bset\s+(?:local\s+|session\s+)?(?:role\s+(?!=)|session\s+authorization)|\bset_config\('role'|\bsecurity\s+definer\b)/i))(file).filter((line) => !/\bfunction (?:keep_attempt_partitions|event_log\.ensure_hours|event_log\.drop_hours)\(/i.test(file.lines[line - 1] ?? '')),
  },
  {
    name: 'no-session-setting',
    says: 'an organisation set for a session; it would still be set for the connection’s next user (docs/advisories.md)',
    find: inProduct(linesMatching(/\bset\s+(?!local\b)(?:session\s+)?app\.org_ids?\b|\bset_config\('app\.[^)]*,\s*false\s*\)/i)),
  },
  {
    name: 'no-web-socket',
    says: 'a socket that stays open to a provider; every call is one request and one bounded answer (docs/advisories.md)',
    find: inProduct(linesMatching(/\bnew (?:WebSocket|EventSource|WebSocketStream)\b/)),
  },
  {
    name: 'no-redirect',
    says: 'a redirect that is followed; credentials would travel to a host nobody checked (docs/advisories.md)',
    find: inProduct(linesMatching(/\binterceptors\.redirect\b|\bmaxRedirections\b|\bRedirectHandler\b|\bredirect:\s*['"]follow['"]/)),
  },
  {
    name: 'no-open-policy',
    says: 'the address policy of tests; customers’ addresses lead to the public internet or to what the operator named (docs/advisories.md)',
    find: (file) => (/(?:^|\/)libs\/outbound\/src\//.test(file.path) ? [] : inProduct(linesMatching(/\ballowEverywhere\b/))(file)),
  },
  {
    name: 'no-middleware',
    says: 'middleware bound to a route, which an address written otherwise passes by; use a guard (docs/advisories.md)',
    find: inProduct(linesMatching(/\bMiddlewareConsumer\b|\bNestMiddleware\b|\.forRoutes\(/)),
  },
  {
    name: 'exact-versions',
    says: 'a version range; pin it exactly',
    find: (file) => (basename(file.path) === 'package.json' ? linesMatching(/"(?:[\^~]|[<>]=?|\*)[^"]*"\s*,?\s*$/)(file).filter((line) => /^\s*"[@\w./-]+":/.test(file.lines[line - 1] ?? '') && !/"(?:workspaces|files|node|npm)"/.test(file.lines[line - 1] ?? '')) : []),
  },
];

/** Everything wrong below `root`; `leaveOut` are folders from the root. */
export function checkTree(root: string, leaveOut: readonly string[] = []): readonly Problem[] {
  const files = filesBelow(root, root, leaveOut);
  return [...files.flatMap(checkFile), ...deadLinks(root, files), ...withoutReadme(root), ...silentOfTenancy(files), ...failpointProblems(files)];
}

export function checkFile(file: TextFile): readonly Problem[] {
  return treeRules.flatMap(({ name, says, find }) => find(file).map((line) => ({ rule: name, at: line === 0 ? file.path : `${file.path}:${line}`, says })));
}

/** A relative link of a Markdown page leads to a file that is there. */
function deadLinks(root: string, files: readonly TextFile[]): readonly Problem[] {
  return files.filter(({ path }) => path.endsWith('.md')).flatMap(({ path, lines }) => lines.flatMap((line, index) => [...line.matchAll(/\]\((?!\w+:|#|<)([^)#\s]+)/g)]
    .filter(([, target = '']) => !existsSync(join(root, dirname(path), target)))
    .map(([, target]) => ({ rule: 'no-dead-link', at: `${path}:${index + 1}`, says: `a link to ${target}, which is not there` }))));
}

/** Every app and lib explains itself on one screen. */
function withoutReadme(root: string): readonly Problem[] {
  return ['apps', 'libs']
    .filter((kind) => existsSync(join(root, kind)))
    .flatMap((kind) => readdirSync(join(root, kind), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => `${kind}/${entry.name}`))
    .filter((folder) => existsSync(join(root, folder, 'package.json')) && !existsSync(join(root, folder, 'README.md')))
    .map((folder) => ({ rule: 'readme', at: folder, says: 'no README.md: purpose, promises it keeps, who calls it' }));
}

/** A lib says in one line whether what it keeps (topics, logs, metrics, caches, idempotency keys) belongs to one organisation or to none. */
function silentOfTenancy(files: readonly TextFile[]): readonly Problem[] {
  return files
    .filter(({ path, lines }) => /(?:^|\/)libs\/[^/]+\/README\.md$/.test(path) && !lines.some((line) => /^(?:\*\*Tenancy\.\*\*|Tenant-scoped:|Tenant-free:) \S/.test(line)))
    .map(({ path }) => ({ rule: 'tenancy', at: path, says: 'no line that begins with "Tenant-scoped:" or "Tenant-free:" and says what of topics, logs, metrics, caches and idempotency keys belongs to whom' }));
}

function filesBelow(root: string, folder: string, leaveOut: readonly string[]): TextFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = join(folder, entry.name);
    const path = relative(root, full).split(sep).join('/');
    if (notOurs.has(entry.name) || leaveOut.includes(path)) return [];
    if (entry.isDirectory()) return filesBelow(root, full, leaveOut);
    return entry.isFile() && textual.test(path) ? [{ path, lines: readFileSync(full, 'utf8').split('\n') }] : [];
  });
}

function linesMatching(pattern: RegExp): TreeRule['find'] {
  return ({ lines }) => lines.flatMap((line, index) => (pattern.test(line) ? [index + 1] : []));
}

function inSource(find: TreeRule['find']): TreeRule['find'] {
  return (file) => (isSource(file.path) ? find(file) : []);
}

/** What tenants' data passes through: not the command line, nor what starts the local database, broker and simulators. */
function inProduct(find: TreeRule['find']): TreeRule['find'] {
  return (file) => (isSource(file.path) && !/(?:^|\/)apps\/trunkline\/|(?:^|\/)libs\/(?:local-services|simulators)\/|\.spec\.ts$|\/src\/testing\//.test(file.path) ? find(file) : []);
}

function inSpecs(find: TreeRule['find']): TreeRule['find'] {
  return (file) => (file.path.endsWith('.spec.ts') ? find(file) : []);
}

function isSource(path: string): boolean {
  return /(?:^|\/)(?:apps|libs)\/.*\.(?:ts|tsx|mjs)$/.test(path);
}

const registry = 'libs/failpoints/src/names.ts';
const namePattern = /^\s+'([a-zA-Z.]+)':/;
const callPattern = /\bfailpoint\(\s*([^)]*)\)/g;
const rowPattern = /\bpoint: '([a-zA-Z.]+)'/g;

interface Named {
  readonly name: string;
  readonly at: string;
}

/** A failpoint is worth something only if a process dies there in a test: names, places in the code and rows of the matrix agree. */
function failpointProblems(files: readonly TextFile[]): readonly Problem[] {
  const names = files.filter(({ path }) => path === registry).flatMap(({ path, lines }) => lines.flatMap((line, index) => named(namePattern.exec(line)?.[1], `${path}:${index + 1}`)));
  const code = files.filter(({ path }) => /^(?:apps|libs)\/[^/]+\/src\/.*\.ts$/.test(path) && !path.endsWith('.spec.ts') && !path.startsWith('libs/failpoints/'));
  const calls = matchesIn(code, callPattern);
  const places = Map.groupBy(calls.filter(({ name }) => isLiteral(name)), ({ name }) => name.slice(1, -1));
  const rows = new Set(matchesIn(files.filter(({ path }) => /^test\/failpoints\/[\w-]+\.ts$/.test(path)), rowPattern).map(({ name }) => name));
  return [
    ...names.filter(({ name }) => places.get(name)?.length !== 1).map(({ name, at }) => ({ rule: 'failpoint-place', at, says: `${name} stands at ${places.get(name)?.length ?? 0} places in the code; it is one place` })),
    ...calls.filter(({ name }) => !isLiteral(name) || !names.some((known) => `'${known.name}'` === name)).map(({ name, at }) => ({ rule: 'failpoint-place', at, says: `${name} is no name out of ${registry}, written out` })),
    ...names.filter(({ name }) => !rows.has(name)).map(({ name, at }) => ({ rule: 'failpoint-tested', at, says: `no row of test/failpoints kills a process at ${name}` })),
  ];
}

function named(name: string | undefined, at: string): Named[] {
  return name === undefined ? [] : [{ name, at }];
}

function isLiteral(argument: string): boolean {
  return /^'[^']*'$/.test(argument);
}

function matchesIn(files: readonly TextFile[], pattern: RegExp): readonly Named[] {
  return files.flatMap(({ path, lines }) => lines.flatMap((line, index) => [...line.matchAll(pattern)].flatMap(([, name]) => named(name, `${path}:${index + 1}`))));
}
