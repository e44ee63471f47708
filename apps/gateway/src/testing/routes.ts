/** Served, and left out of the API description: it and its page. */
export const undescribed = ['GET /api/docs', 'GET /api/docs/{}', 'GET /api/openapi.json'] as const;

/** The routes in what `printRoutes({ commonPrefix: false })` of Fastify draws, as `GET /api/runs/{}`; a HEAD that comes with a GET is not told. */
export function routesIn(drawing: string): readonly string[] {
  const routes = new Set<string>();
  const above: string[] = [];
  for (const line of drawing.split('\n')) {
    const [, indent = '', branch = '', name = '', methods = ''] = /^((?:│ {3}| {4})*)(├── |└── )?(.*?)(?: \(([A-Z, ]+)\).*)?$/u.exec(line) ?? [];
    const depth = indent.length / 4;
    // A line without a branch says more about the route above it.
    if (branch !== '') above.splice(depth, above.length, name === '(empty root node)' ? '' : name);
    const path = above.join('').replaceAll(/:[^/]+/g, '{}');
    for (const method of methods.split(', ').filter((one) => one !== '')) routes.add(`${method} ${path}`);
  }
  return [...routes].filter((route) => !(route.startsWith('HEAD ') && routes.has(route.replace('HEAD', 'GET')))).sort();
}

/** A description's operations, written as `routesIn` writes routes. */
export function described(operations: readonly string[]): readonly string[] {
  return operations.map((name) => name.replaceAll(/\{[^}]+\}/g, '{}')).sort();
}
