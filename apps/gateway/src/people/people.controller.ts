import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { Identity, Invitation, Member, People } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { bodyCheck } from '../control/body-check.js';
import { checkedId } from '../control/uuid.js';
import { identity as identityToken, peopleToken } from '../edge/access.guard.js';
import { rememberChange } from '../edge/change.js';
import { holderOf } from '../edge/holder.js';
import { Needs } from '../edge/needs.js';
import { InvitationBody, RoleBody } from './people.dto.js';

/** Who belongs to the organisation, and who is asked to. */
@ApiTags('people')
@ApiSecurity('key')
@ApiSecurity('session')
@Controller('api')
@UsePipes(bodyCheck)
export class PeopleController {
  constructor(
    @Inject(peopleToken) private readonly people: People,
    @Inject(identityToken) private readonly keys: Pick<Identity, 'forgetApiKeys'>,
  ) {}

  @Get('people')
  @Needs('people:read')
  @ApiOperation({ summary: 'The members of the organisation' })
  async list(@Req() request: FastifyRequest): Promise<unknown> {
    return { people: (await this.people.members.list(holderOf(request).organisationId)).map(memberView) };
  }

  @Put('people/:id')
  @Needs('people:manage')
  @ApiOperation({ summary: "Change a member's role", description: 'Counts from their next request on. Nobody gives or takes a role that may more than they themselves; the last owner stays one. API keys that the member made, or that were made with these, are revoked where they may more than the new role; `revoked_keys` names them; so are open invitations that they could not send any more (`withdrawn_invitations`).' })
  async changeRole(@Req() request: FastifyRequest, @Param('id') id: string, @Body() { role }: RoleBody): Promise<unknown> {
    const { before, after, revokedKeys, withdrawnInvitations } = await this.people.members.changeRole(holderOf(request).actor, checkedId(id, 'member'), role);
    this.keys.forgetApiKeys(revokedKeys);
    const view = { ...memberView(after), revoked_keys: revokedKeys, withdrawn_invitations: withdrawnInvitations };
    rememberChange(request, { before: memberView(before), after: view });
    return view;
  }

  @Delete('people/:id')
  @HttpCode(204)
  @Needs('people:manage')
  @ApiOperation({ summary: 'Remove a member from the organisation', description: 'The API keys that the member made, or that were made with these, are revoked, and the open invitations that they sent are withdrawn; the audit entry names both.' })
  async remove(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { before, revokedKeys, withdrawnInvitations } = await this.people.members.remove(holderOf(request).actor, checkedId(id, 'member'));
    this.keys.forgetApiKeys(revokedKeys);
    const gone = { ...(revokedKeys.length > 0 && { revoked_keys: revokedKeys }), ...(withdrawnInvitations.length > 0 && { withdrawn_invitations: withdrawnInvitations }) };
    rememberChange(request, { before: memberView(before), after: Object.keys(gone).length === 0 ? null : gone });
  }

  @Get('invitations')
  @Needs('people:read')
  @ApiOperation({ summary: 'Invitations that can still be accepted' })
  async invitations(@Req() request: FastifyRequest): Promise<unknown> {
    return { invitations: (await this.people.invitations.list(holderOf(request).organisationId)).map(invitationView) };
  }

  @Post('invitations')
  @HttpCode(201)
  @Needs('people:manage')
  @ApiOperation({ summary: 'Invite somebody', description: 'The token is shown this once; give it to that person. It is good for seven days, for that address, once. It takes the place of an open one for the same address, unless that is for a role that may more than you.' })
  async invite(@Req() request: FastifyRequest, @Body() body: InvitationBody): Promise<unknown> {
    const { invitation, token } = await this.people.invitations.invite(holderOf(request).actor, body);
    rememberChange(request, { before: null, after: invitationView(invitation) });
    return { ...invitationView(invitation), token };
  }

  @Delete('invitations/:id')
  @HttpCode(204)
  @Needs('people:manage')
  @ApiOperation({ summary: 'Withdraw an invitation', description: 'Nobody withdraws one for a role that may more than they themselves.' })
  async withdraw(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { actor, organisationId } = holderOf(request);
    const before = (await this.people.invitations.list(organisationId)).find((invitation) => invitation.id === id.toLowerCase());
    await this.people.invitations.withdraw(actor, checkedId(id, 'invitation'));
    rememberChange(request, { before: before === undefined ? null : invitationView(before), after: null });
  }
}

function memberView({ userId, email, name, role, createdAt }: Member): Record<string, unknown> {
  return { id: userId, email, name, role, created_at: createdAt.toISOString() };
}

function invitationView({ id, email, role, invitedBy, createdAt, expiresAt }: Invitation): Record<string, unknown> {
  return { id, email, role, invited_by: invitedBy, created_at: createdAt.toISOString(), expires_at: expiresAt.toISOString() };
}
