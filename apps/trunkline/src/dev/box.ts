import boxen from 'boxen';
import type { DevFile } from '../client/target.js';

/** What a newcomer needs next, once everything listens. */
export function summaryBox(dev: DevFile, devFilePath: string, notes: readonly string[]): string {
  const curl = [
    `curl -X POST ${dev.gateway}/api/events \\`,
    `  -H 'Authorization: Bearer ${dev.apiKey}' \\`,
    `  -H 'Content-Type: application/cloudevents+json' \\`,
    `  -d '{"specversion":"1.0","type":"conversation_ended","source":"/me","id":"call-1",`,
    `       "data":{"conversation_id":"call-1","summary":"A street light is out","address":"1 Harbour St"}}'`,
  ];
  const lines = [
    'Harbour City Council (demo) is open.',
    '',
    `Gateway    ${dev.gateway}`,
    `API page   ${dev.gateway}/api/docs`,
    `API key    ${dev.apiKey}`,
    ...(dev.owner === undefined ? [] : [`Sign in    ${dev.owner.email} with ${dev.owner.password}`]),
    `Simulators ${Object.entries(dev.simulators).map(([name, { url }]) => `${name} ${url}`).join('\n           ')}`,
    '',
    'Send an event of your own:',
    ...curl,
    'or: npx --no trunkline send-event conversation_ended --set conversation_id=call-2 --set summary="A street light is out" --wait',
    '',
    `Everything above is in ${devFilePath}.`,
    ...notes,
    '',
    'Stop: Ctrl-C (a second start goes on with the same data)   Wipe: npm run wipe',
  ];
  // Wide lines stay whole when they are copied, so a narrow terminal gets no frame.
  const width = Math.max(...lines.map((line) => line.length)) + 4;
  if ((process.stderr.columns ?? 0) < width) return `\n${lines.join('\n')}\n`;
  return boxen(lines.join('\n'), { padding: { left: 1, right: 1, top: 0, bottom: 0 }, borderStyle: 'round', title: 'Trunkline' });
}
