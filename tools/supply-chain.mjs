// Writes docs/sbom.cdx.json (CycloneDX 1.6) and docs/licences.md from package-lock.json. `--check` writes nothing and fails when they are stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const ours = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What runs in production: no development dependency, none of our own workspaces. */
const shipped = Object.entries(lock.packages)
  .filter(([path, entry]) => path.includes('node_modules/') && !entry.link && !entry.dev)
  .map(([path, entry]) => ({ name: entry.name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), version: entry.version, licence: entry.license ?? 'unknown', integrity: entry.integrity }));
const packages = [...new Map(shipped.map((one) => [`${one.name}@${one.version}`, one])).values()].sort((one, other) => (`${one.name}@${one.version}` < `${other.name}@${other.version}` ? -1 : 1));

// https://github.com/package-url/purl-spec: the @ of a scope is percent-encoded.
const purl = ({ name, version }) => `pkg:npm/${name.replace('@', '%40')}@${version}`;
const licenceOf = ({ licence }) => (/[ (]/.test(licence) ? { expression: licence } : { license: { id: licence } });
const hashOf = ({ integrity }) => (integrity === undefined ? {} : { hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex') }] });

const sbom = {
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: { component: { 'type': 'application', 'bom-ref': 'trunkline', 'name': 'trunkline', 'version': ours.version, 'licenses': [{ license: { id: ours.license } }] } },
  components: packages.map((one) => ({ 'type': 'library', 'bom-ref': purl(one), 'name': one.name, 'version': one.version, 'purl': purl(one), 'licenses': [licenceOf(one)], ...hashOf(one) })),
};

const byLicence = Map.groupBy(packages, ({ licence }) => licence);
const licences = [
  '# Licences of what is shipped',
  '',
  `${packages.length} packages of other authors run in production. Made from package-lock.json by \`npm run supply-chain\`; the same as CycloneDX: [sbom.cdx.json](sbom.cdx.json).`,
  ...[...byLicence].sort(([, one], [, other]) => other.length - one.length).flatMap(([licence, list]) => ['', `## ${licence} (${list.length})`, '', list.map(({ name, version }) => `${name} ${version}`).join(' · ')]),
  '',
].join('\n');

const documents = { 'docs/sbom.cdx.json': `${JSON.stringify(sbom, null, 1)}\n`, 'docs/licences.md': licences };
const stale = Object.entries(documents).filter(([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text);
if (process.argv.includes('--check')) {
  if (stale.length > 0) process.stderr.write(`stale: ${stale.map(([path]) => path).join(', ')}; run npm run supply-chain\n`);
  process.exit(stale.length > 0 ? 1 : 0);
}
for (const [path, text] of stale) writeFileSync(join(root, path), text);
process.stderr.write(stale.length === 0 ? 'documents are up to date\n' : `wrote ${stale.map(([path]) => path).join(', ')}\n`);
