import type { EffectEvidence, Evidence, OrganisationEvidence, RunEvidence } from './evidence.js';
import { checkNever } from './never.js';
import type { Breach, Finding } from './verdict.js';

type Step = OrganisationEvidence['steps'][number];

/** I2: by content and by reference, so that neither a new key nor a reused one hides a second effect. */
export function checkEffects({ organisations, runs, effects, ...sent }: Pick<Evidence, 'organisations' | 'runs' | 'effects' | 'attempts' | 'commands' | 'intents'>): Finding {
  const created = effects.filter(({ kind }) => kind === 'created');
  const byContent = Map.groupBy(created, (effect) => `${effect.provider} ${effect.recordType} ${effect.eventId}`);
  const byReference = Map.groupBy(created, (effect) => `${effect.provider} ${effect.recordType} ${effect.reference}`);
  const breaches: Breach[] = [];
  let checked = 0;
  let parkedUnknown = 0;
  const organisationOf = new Map(organisations.map((organisation) => [organisation.organisationId, organisation]));
  const eventIds = new Set<string>();
  for (const run of runs.values()) {
    eventIds.add(run.eventId);
    for (const step of organisationOf.get(run.organisationId)?.steps ?? []) {
      checked += 1;
      const made = byContent.get(`${step.provider} ${step.recordType} ${run.eventId}`) ?? [];
      breaches.push(...breachesOfStep(run, step, made));
      if (step.repeat === 'never') breaches.push(...checkNever(run, step, sent));
      const now = run.steps.find(({ id }) => id === step.id);
      if (now?.state === 'parked' && now.reason === 'unknown') parkedUnknown += 1;
    }
  }
  for (const [name, same] of byReference) {
    const events = new Set(same.map(({ eventId }) => eventId));
    if (events.size > 1) breaches.push({ invariant: 'I2', says: `${name} stands for several events: ${[...events].join(', ')}`, runId: null, eventId: same[0]?.eventId ?? null });
  }
  for (const { provider, recordType, eventId, recordId } of created) {
    if (!eventIds.has(eventId)) breaches.push({ invariant: 'I2', says: `${provider} holds ${recordType} ${recordId} of event ${eventId}, which has no run`, runId: null, eventId });
  }
  return { invariant: 'I2', checked, note: `${created.length} effects; ${parkedUnknown} steps parked as unknown`, breaches };
}

function breachesOfStep(run: RunEvidence, step: Step, made: readonly EffectEvidence[]): readonly Breach[] {
  const ids = new Set(made.map(({ recordId }) => recordId));
  const now = run.steps.find(({ id }) => id === step.id);
  const at = { runId: run.runId, eventId: run.eventId, invariant: 'I2' } as const;
  if (ids.size > 1) return [{ ...at, says: `step ${step.id} (${step.repeat}) of event ${run.eventId} has ${ids.size} effects: ${[...ids].join(', ')}` }];
  if (ids.size === 0 && now?.state === 'done') return [{ ...at, says: `step ${step.id} of event ${run.eventId} says done and ${step.provider} has nothing of it` }];
  if (ids.size === 1 && now !== undefined && (now.state === 'waiting' || now.state === 'skipped')) return [{ ...at, says: `step ${step.id} of event ${run.eventId} is ${now.state} and ${step.provider} has its effect` }];
  return [];
}
