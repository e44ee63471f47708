// Asks the package registry that npm is set up for whether a shipped package has a known advisory of class high or critical. Where it cannot be asked, says so and fails nothing.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json', '--fetch-retries=0', '--fetch-timeout=20000'], { cwd: root, encoding: 'utf8', timeout: 60_000, maxBuffer: 64 * 1024 * 1024 });
const report = read(stdout);

if (report?.metadata?.vulnerabilities === undefined) {
  process.stdout.write(`advisories: not checked, the registry did not answer the question${error === undefined ? '' : ` (${error.message})`}\n`);
} else {
  const serious = Object.values(report.vulnerabilities).filter(({ severity }) => severity === 'high' || severity === 'critical');
  for (const { name, severity, range, fixAvailable } of serious) process.stdout.write(`advisories: ${name} ${range}: ${severity}; ${fixAvailable ? '`npm audit fix` knows a version without it' : 'no version without it is known'}\n`);
  if (serious.length === 0) process.stdout.write('advisories: none of class high or critical\n');
  process.exitCode = serious.length === 0 ? 0 : 1;
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    // npm prints no document when it gives up early; the caller says that nothing was checked.
    return undefined;
  }
}
