import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { rememberChange } from '../../edge/change.js';
import { NotFound } from '../../edge/errors.js';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { bodyCheck } from '../body-check.js';
import type { DeadLetter, DeadLetterDetail, LedgerVerbs } from '@trunkline/ledger';
import { epochMs, instant } from '../times.js';
import { ledgerVerbs } from '../tokens.js';
import { checkedId } from '../uuid.js';
import { type DeadLetterFilterFields, DeadLettersQuery, RedriveBody } from './dead-letters.dto.js';

@ApiTags('dead letters')
@ApiSecurity('key')
@Controller('api/dead-letters')
@UsePipes(bodyCheck)
export class DeadLettersController {
  constructor(@Inject(ledgerVerbs) private readonly verbs: LedgerVerbs) {}

  @Get()
  @Needs('dead-letters:read')
  @ApiOperation({ summary: 'Dead letters, newest first' })
  async list(@Req() request: FastifyRequest, @Query() query: DeadLettersQuery): Promise<unknown> {
    const page = await this.verbs.listDeadLetters(holderOf(request).organisationId, { ...filterOf(query), isOpen: query.open ? true : undefined, limit: query.limit, after: query.after });
    return { dead_letters: page.items.map(deadLetterView), next: page.next };
  }

  @Get(':id')
  @Needs('dead-letters:read')
  @ApiOperation({ summary: 'One dead letter with its original bytes (base64) and headers' })
  async show(@Req() request: FastifyRequest, @Param('id') id: string): Promise<unknown> {
    const letter = await this.verbs.showDeadLetter(holderOf(request).organisationId, checkedId(id, 'dead letter'));
    if (letter === null) throw NotFound.because(`dead letter ${id}`);
    return deadLetterDetailView(letter);
  }

  @Post('redrive')
  @HttpCode(200)
  @Needs('dead-letters:redrive')
  @ApiOperation({ summary: 'Give dead-lettered steps another dispatch', description: 'Same run, same effect keys: repeating this request does nothing twice. With `dry_run` it only counts; `renumbered` is how many runs go to the end of the line of their subject.' })
  async redrive(@Req() request: FastifyRequest, @Body() body: RedriveBody): Promise<unknown> {
    const answer = await this.verbs.redrive(holderOf(request).organisationId, { ids: body.ids, filter: { ...filterOf(body), isOpen: true }, dryRun: body.dry_run, perSecond: body.per_second ?? null, force: body.force });
    const counts = { dry_run: body.dry_run, matched: answer.matched, redriven: answer.redriven, renumbered: answer.renumbered, refused: answer.refused };
    rememberChange(request, { before: null, after: { ...counts, ids: body.ids ?? null, force: body.force, per_second: body.per_second ?? null } });
    return { ...counts, by_class: answer.byClass, sample: answer.sample.map(deadLetterView) };
  }
}

function filterOf(fields: DeadLetterFilterFields) {
  return { class: fields.class, code: fields.code, integrationId: fields.integration_id, runId: fields.run_id, afterMs: epochMs(fields.seen_after), beforeMs: epochMs(fields.seen_before) };
}

function deadLetterView(letter: DeadLetter): Record<string, unknown> {
  return {
    id: letter.id,
    class: letter.class,
    code: letter.code,
    message: letter.message,
    run_id: letter.runId,
    step_id: letter.stepId,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    times: letter.times,
    first_at: instant(letter.firstAtMs),
    last_at: instant(letter.lastAtMs),
    closed_at: instant(letter.closedAtMs),
  };
}

function deadLetterDetailView(letter: DeadLetterDetail): Record<string, unknown> {
  const { record } = letter;
  return {
    ...deadLetterView(letter),
    record: record === null ? null : { key: record.key?.toString('base64') ?? null, value: record.value?.toString('base64') ?? null, headers: record.headers.map(([name, value]) => [name, value.toString('base64')]) },
  };
}
