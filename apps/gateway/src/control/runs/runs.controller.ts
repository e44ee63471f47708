import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Req, UsePipes } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { rememberChange } from '../../edge/change.js';
import { NotFound } from '../../edge/errors.js';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { bodyCheck } from '../body-check.js';
import { checkedIdempotencyKey } from '../idempotency.js';
import type { LedgerVerbs, RunSummary } from '@trunkline/ledger';
import { epochMs } from '../times.js';
import { ledgerVerbs } from '../tokens.js';
import { checkedId } from '../uuid.js';
import { runDetailView, runView } from './run-view.js';
import { ReplayBody, RunsQuery, SettleBody } from './runs.dto.js';

@ApiTags('runs')
@ApiSecurity('key')
@Controller('api/runs')
@UsePipes(bodyCheck)
export class RunsController {
  constructor(@Inject(ledgerVerbs) private readonly verbs: LedgerVerbs) {}

  @Get()
  @Needs('runs:read')
  @ApiOperation({ summary: 'Runs, newest first' })
  @ApiOkResponse({ description: '`{runs, next}`; `next` is null on the last page.' })
  async list(@Req() request: FastifyRequest, @Query() query: RunsQuery): Promise<unknown> {
    const page = await this.verbs.listRuns(holderOf(request).organisationId, {
      state: query.state,
      eventType: query.event_type,
      subject: query.subject,
      integrationId: query.integration_id,
      acceptedAfterMs: epochMs(query.accepted_after),
      acceptedBeforeMs: epochMs(query.accepted_before),
      limit: query.limit,
      after: query.after,
    });
    return { runs: page.items.map(runView), next: page.next };
  }

  @Get(':id')
  @Needs('runs:read')
  @ApiOperation({ summary: 'One run with its timeline: event, steps, attempts, provider request ids, waits with reason and time' })
  async show(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const run = await this.verbs.showRun(holderOf(request).organisationId, checkedId(id, 'run'));
    if (run === null) throw NotFound.because(`run ${id}`);
    return runDetailView(run);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @Needs('runs:replay')
  @ApiOperation({ summary: 'Run the event again as a new, linked run', description: 'Same effect keys unless `new_effects`: a step already done takes its recorded result without calling.' })
  @ApiHeader({ name: 'idempotency-key', required: false, description: 'A repeat under the same key answers with the run the first one made.' })
  async replay(@Req() request: FastifyRequest, @Param('id') id: string, @Body() body: ReplayBody, @Headers('idempotency-key') key?: string): Promise<unknown> {
    const answer = await this.verbs.replay(holderOf(request).organisationId, checkedId(id, 'run'), {
      version: body.version,
      fromStep: body.from_step ?? null,
      newEffects: body.new_effects,
      dryRun: body.dry_run,
      idempotencyKey: checkedIdempotencyKey(key),
    });
    if (answer === null) throw NotFound.because(`run ${id}`);
    const done = { run_id: answer.runId, dry_run: body.dry_run, steps: answer.steps };
    rememberChange(request, { before: null, after: { ...done, version: body.version, from_step: body.from_step ?? null, new_effects: body.new_effects } });
    return done;
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Needs('runs:cancel')
  @ApiOperation({ summary: 'Cancel what has not been sent', description: 'Steps that may have written something already are listed in `possibly_written`.' })
  async cancel(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const { organisationId } = holderOf(request);
    const before = await this.statesOf(organisationId, checkedId(id, 'run'));
    const answer = await this.verbs.cancel(organisationId, checkedId(id, 'run'));
    if (answer === null) throw NotFound.because(`run ${id}`);
    const after = { run_id: id, state: answer.state, cancelled: answer.cancelled, cancel_requested: answer.requested, possibly_written: answer.possiblyWritten };
    rememberChange(request, { before, after });
    return after;
  }

  @Post(':id/steps/:step/settle')
  @HttpCode(200)
  @Needs('runs:settle')
  @ApiOperation({ summary: 'Say whether a step parked as unknown or ambiguous has had its effect' })
  async settle(@Req() request: FastifyRequest, @Param('id') id: string, @Param('step') step: string, @Body() body: SettleBody): Promise<unknown> {
    const answer = body.outcome === 'done' ? { kind: 'done' as const, externalId: body.external_id ?? null } : { kind: 'not-done' as const };
    const { organisationId } = holderOf(request);
    const before = await this.statesOf(organisationId, checkedId(id, 'run'));
    const run = await this.verbs.settle(organisationId, checkedId(id, 'run'), step, answer);
    if (run === null) throw NotFound.because(`step ${step} of run ${id}`);
    rememberChange(request, { before, after: { outcome: body.outcome, external_id: body.external_id ?? null, ...statesIn(run) } });
    return runDetailView(run);
  }

  /** For the audit trail: as it was read just before, not in the transaction of the change. */
  private async statesOf(organisationId: string, id: string): Promise<unknown> {
    const run = await this.verbs.showRun(organisationId, id);
    return run === null ? null : statesIn(run);
  }
}

function statesIn({ state, steps }: Pick<RunSummary, 'state' | 'steps'>): { readonly state: string; readonly steps: Readonly<Record<string, string>> } {
  return { state, steps: Object.fromEntries(steps.map((step) => [step.id, step.state])) };
}
