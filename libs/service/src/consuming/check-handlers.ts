import type { Topic } from '@trunkline/contracts';
import { HandlerInvalid, TopicUnhandled } from '../errors.js';
import type { HandlerExtras } from './handlers.js';

/** Throws unless every topic the app must take care of has a handler, and every handler names topics that exist and that the app consumes. */
export function checkHandlers(handlers: readonly HandlerExtras[], wanted: readonly string[], registry: readonly Topic[]): void {
  const known = new Set(registry.map(({ name }) => name));
  const handled = new Set(handlers.flatMap(({ topics }) => topics));
  const problemsOfNames = [...handled, ...wanted].filter((topic) => !known.has(topic));
  if (problemsOfNames.length > 0) throw HandlerInvalid.because(`not in the topic registry: ${list(problemsOfNames)}`);
  const unhandled = wanted.filter((topic) => !handled.has(topic));
  if (unhandled.length > 0) throw TopicUnhandled.because(list(unhandled));
  const unwanted = [...handled].filter((topic) => !wanted.includes(topic));
  if (unwanted.length > 0) throw HandlerInvalid.because(`handled, but not among the topics of this app: ${list(unwanted)}`);
  const groups = handlers.map(({ group }) => group);
  const twice = groups.filter((group, index) => groups.indexOf(group) !== index);
  if (twice.length > 0) throw HandlerInvalid.because(`more than one handler for the group ${list(twice)}`);
  const empty = handlers.filter(({ group, topics }) => group === '' || topics.length === 0);
  if (empty.length > 0) throw HandlerInvalid.because(`a handler without a group or topics: ${list(empty.map(({ group, topics }) => `${group || '?'} ← ${topics.join(', ') || '?'}`))}`);
}

function list(names: readonly string[]): string {
  return [...new Set(names)].join(', ');
}
