import { resolve } from 'node:path';
import { ServiceProcess as ProductProcess } from '@trunkline/app-trunkline';

const root = resolve(__dirname, '..', '..');

/** One service as an operator runs it: `node main.js` with an environment; started, killed and started again under the same name. */
export class ServiceProcess extends ProductProcess {
  /** `readyUrl` answers 2xx once the process serves. */
  constructor(name: string, words: readonly string[], environment: Readonly<Record<string, string>>, readyUrl: string) {
    super({ name, words, environment, readyUrl });
  }
}

export function mainOf(app: string): string {
  return resolve(root, 'apps', app, 'dist', 'main.js');
}
