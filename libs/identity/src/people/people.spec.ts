import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Client } from 'pg';
import type { UserActor } from '../access/actor.js';
import { permissionsOfRole, type Role } from '../access/role.js';
import { createIdentity } from '../identity.js';
import { createPeople, type People } from './people.js';
import { sessionTimes } from './sessions.js';

const place = { address: '203.0.113.9', browser: 'spec' };
const password = 'correct horse battery staple';

describe('people', () => {
  let database: TestDatabase;
  let owner: Client;
  let people: People;
  let nowMs: number;

  beforeAll(async () => {
    database = await openTestDatabase();
    owner = await database.owner();
  }, 60_000);
  afterAll(() => database.close());
  beforeEach(() => {
    nowMs = Date.now();
    people = createPeople({ databases: database.databases, nowMs: () => nowMs });
  });

  const unique = (): string => `${crypto.randomUUID()}@example.org`;
  const newOrganisation = async (): Promise<string> => (await createIdentity({ databases: database.databases }).createOrganisation({ name: 'Harbour City Council' })).id;
  const actor = (organisationId: string, role: Role = 'owner'): UserActor => ({ kind: 'user', userId: crypto.randomUUID(), sessionId: crypto.randomUUID(), organisationId, address: '', permissions: permissionsOfRole[role] });
  const newMember = async (organisationId: string, role: Role, email = unique()): Promise<string> => {
    const { token } = await people.invitations.invite(actor(organisationId), { email, role });
    return (await people.invitations.acceptWithPassword(token, { name: 'Somebody', password }, place.address)).account.id;
  };

  describe('the set-up token', () => {
    beforeEach(async () => {
      await owner.query('delete from installation; delete from setup_tokens');
    });
    const first = (email = unique()) => ({ email, name: 'First', password, organisation: { name: 'New council' } });

    it('makes the first owner of a new organisation, once', async () => {
      const token = (await people.setup.offer()) ?? '';
      const { userId, organisationId } = await people.setup.complete(token, first());
      expect(await people.members.list(organisationId)).toMatchObject([{ userId, role: 'owner' }]);
      await expect(people.setup.complete(token, first())).rejects.toMatchObject({ code: 'identity.setup_closed' });
      expect(await people.setup.offer()).toBeNull();
    });

    it('makes the first owner of an organisation that is there', async () => {
      const organisationId = await newOrganisation();
      await people.setup.complete((await people.setup.offer()) ?? '', { ...first(), organisation: { id: organisationId } });
      expect(await people.members.list(organisationId)).toHaveLength(1);
    });

    it('has one winner of two at the same time, whichever token they have', async () => {
      const tokens = [(await people.setup.offer()) ?? '', (await people.setup.offer()) ?? ''];
      const ends = await Promise.allSettled(tokens.map((token) => people.setup.complete(token, first())));
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    });

    it('is refused when unknown or a day old, and is not in the database', async () => {
      const token = (await people.setup.offer()) ?? '';
      expect(JSON.stringify((await owner.query('select * from setup_tokens')).rows)).not.toContain(token.slice(4));
      await expect(people.setup.complete(`tsu_${'A'.repeat(43)}`, first())).rejects.toMatchObject({ code: 'identity.setup_closed' });
      nowMs += 24 * 3_600_000 + 1;
      await expect(people.setup.complete(token, first())).rejects.toMatchObject({ code: 'identity.setup_closed' });
    });

    it('stays good when the password is refused', async () => {
      const token = (await people.setup.offer()) ?? '';
      await expect(people.setup.complete(token, { ...first(), password: 'short' })).rejects.toMatchObject({ code: 'identity.password_unfit' });
      await expect(people.setup.complete(token, first())).resolves.toMatchObject({ userId: expect.any(String), organisationId: expect.any(String) });
    });
  });

  describe('signing in', () => {
    it('works with the password, whatever the capitals of the address', async () => {
      const email = unique();
      const id = await newMember(await newOrganisation(), 'viewer', email);
      expect(await people.accounts.signIn({ email: ` ${email.toUpperCase()} `, password }, place.address)).toMatchObject({ id });
    });

    it('keeps no password: only an argon2id hash with its figures', async () => {
      const id = await newMember(await newOrganisation(), 'viewer');
      const { rows } = await owner.query<{ password: string }>('select password from users where id = $1', [id]);
      expect(rows[0]?.password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    });

    it('answers the same to an unknown account, a wrong password and an account without one', async () => {
      const email = unique();
      await newMember(await newOrganisation(), 'viewer', email);
      const bare = unique();
      await people.accounts.create({ email: bare, name: 'OpenID', password: null });
      const answers = await Promise.all([[unique(), password], [email, 'wrong wrong wrong'], [bare, password]].map(([who = '', what = '']) => people.accounts.signIn({ email: who, password: what }, unique()).catch((error: Error) => error.message)));
      expect(new Set(answers).size).toBe(1);
    });

    it('takes as much work for an unknown account as for a wrong password', async () => {
      const email = unique();
      await newMember(await newOrganisation(), 'viewer', email);
      const timeOf = async (who: string): Promise<number> => {
        const started = performance.now();
        await people.accounts.signIn({ email: who, password: 'wrong wrong wrong' }, unique()).catch(() => undefined);
        return performance.now() - started;
      };
      const stranger = unique();
      const times: { readonly unknown: number; readonly known: number }[] = [];
      // By turns, so that a machine which is busy for a while is busy for both.
      for (let turn = 0; turn < 5; turn += 1) times.push({ unknown: await timeOf(stranger), known: await timeOf(email) });
      const [unknown, known] = [Math.min(...times.map((turn) => turn.unknown)), Math.min(...times.map((turn) => turn.known))];
      // An argon2id hash takes tens of milliseconds; without it the answer would come in a few.
      expect(unknown / known).toBeGreaterThan(0.4);
      expect(unknown / known).toBeLessThan(2.5);
    });

    it('is slowed down per account after five failures, also for one that does not exist, from wherever', async () => {
      for (const email of [unique(), unique()]) {
        for (let turn = 0; turn < 6; turn += 1) await expect(people.accounts.signIn({ email, password: 'wrong wrong wrong' }, unique())).rejects.toMatchObject({ code: 'identity.sign_in_refused' });
        await expect(people.accounts.signIn({ email, password }, unique())).rejects.toMatchObject({ code: 'identity.sign_in_throttled', facts: { retryAfterSeconds: 5 } });
        nowMs += 5_000;
        await expect(people.accounts.signIn({ email, password: 'wrong wrong wrong' }, unique())).rejects.toMatchObject({ code: 'identity.sign_in_refused' });
        await expect(people.accounts.signIn({ email, password }, unique())).rejects.toMatchObject({ facts: { retryAfterSeconds: 10 } });
      }
    });

    it('lets no more guesses through when they come at once', async () => {
      const email = unique();
      const ends = await Promise.all(Array.from({ length: 20 }, () => people.accounts.signIn({ email, password: 'wrong wrong wrong' }, unique()).catch((error: { code: string }) => error.code)));
      expect(ends.filter((code) => code === 'identity.sign_in_refused')).toHaveLength(6);
    });

    it('is slowed down per address after thirty failures, and a success forgets an account\'s failures', async () => {
      const email = unique();
      await newMember(await newOrganisation(), 'viewer', email);
      for (let turn = 0; turn < 5; turn += 1) await people.accounts.signIn({ email, password: 'wrong wrong wrong' }, unique()).catch(() => undefined);
      await people.accounts.signIn({ email, password }, unique());
      await expect(people.accounts.signIn({ email, password: 'wrong wrong wrong' }, unique())).rejects.toMatchObject({ code: 'identity.sign_in_refused' });
      const address = unique();
      for (let turn = 0; turn < 31; turn += 1) await people.accounts.signIn({ email: unique(), password }, address).catch(() => undefined);
      await expect(people.accounts.signIn({ email: unique(), password }, address)).rejects.toMatchObject({ code: 'identity.sign_in_throttled' });
    }, 120_000);

    it('counts an IPv6 /64 as one address', async () => {
      const network = `2001:db8:${Math.floor(Math.random() * 0xffff).toString(16)}:${Math.floor(Math.random() * 0xffff).toString(16)}`;
      for (let turn = 0; turn < 31; turn += 1) await people.accounts.signIn({ email: unique(), password }, `${network}::${(turn + 1).toString(16)}`).catch(() => undefined);
      await expect(people.accounts.signIn({ email: unique(), password }, `${network}:1:2:3:4`)).rejects.toMatchObject({ code: 'identity.sign_in_throttled' });
    }, 120_000);

    it('takes the password that the operator gave, and no session of before', async () => {
      const email = unique();
      const id = await newMember(await newOrganisation(), 'viewer', email);
      const token = await people.sessions.open(id, 'password', place);
      const given = (await people.accounts.replacePassword(email)) ?? '';
      expect(await people.sessions.find(token)).toBeNull();
      await expect(people.accounts.signIn({ email, password }, place.address)).rejects.toMatchObject({ code: 'identity.sign_in_refused' });
      await expect(people.accounts.signIn({ email, password: given }, place.address)).resolves.toMatchObject({ id });
      expect(await people.accounts.replacePassword(unique())).toBeNull();
    });

    it.each([['short', 'fewer than 12'], ['aaaaaaaaaaaaaaaa', 'repeats'], ['password1234', 'guessed'], ['somebody12345', 'guessed|little more than']])('refuses the password %s', async (unfit, reason) => {
      await expect(people.accounts.create({ email: unique(), name: 'somebody12', password: unfit })).rejects.toMatchObject({ code: 'identity.password_unfit', detail: expect.stringMatching(reason) });
    });
  });

  describe('sessions', () => {
    it('know who is signed in, in which organisation and as what', async () => {
      const organisationId = await newOrganisation();
      const userId = await newMember(organisationId, 'data_ops');
      const token = await people.sessions.open(userId, 'password', place);
      expect(await people.sessions.find(token)).toMatchObject({ userId, membership: { organisationId, organisation: 'Harbour City Council', role: 'data_ops', plan: { name: 'enterprise' } } });
      expect(JSON.stringify((await owner.query('select * from sessions')).rows)).not.toContain(token.slice(3));
    });

    it('end at once, when revoked here or by a sign-in that replaces them', async () => {
      const userId = await newMember(await newOrganisation(), 'viewer');
      const one = await people.sessions.open(userId, 'password', place);
      const two = await people.sessions.open(userId, 'password', place, { replaces: one });
      expect(await people.sessions.find(one)).toBeNull();
      const found = await people.sessions.find(two);
      expect(await people.sessions.endOne(crypto.randomUUID(), found?.sessionId ?? '')).toBe(false);
      expect(await people.sessions.endOne(userId, found?.sessionId ?? '')).toBe(true);
      expect(await people.sessions.find(two)).toBeNull();
    });

    it('end when unused for hours, and in any case after a week', async () => {
      const userId = await newMember(await newOrganisation(), 'viewer');
      const unused = await people.sessions.open(userId, 'password', place);
      nowMs += sessionTimes.idleMs;
      expect(await people.sessions.find(unused)).toBeNull();
      const used = await people.sessions.open(userId, 'password', place);
      const startedMs = nowMs;
      while (nowMs + sessionTimes.idleMs / 2 < startedMs + sessionTimes.longestMs) {
        nowMs += sessionTimes.idleMs / 2;
        expect(await people.sessions.find(used)).not.toBeNull();
      }
      nowMs = startedMs + sessionTimes.longestMs;
      expect(await people.sessions.find(used)).toBeNull();
      await people.sweep();
    });

    it('see a changed role and a lost membership with the next request', async () => {
      const organisationId = await newOrganisation();
      const userId = await newMember(organisationId, 'admin');
      const token = await people.sessions.open(userId, 'password', place);
      await people.members.changeRole(actor(organisationId), userId, 'viewer');
      expect((await people.sessions.find(token))?.membership?.role).toBe('viewer');
      await people.members.remove(actor(organisationId), userId);
      expect(await people.sessions.find(token)).toMatchObject({ userId, membership: null });
    });

    it('turn to another organisation of the same person only', async () => {
      const [one, two, other] = [await newOrganisation(), await newOrganisation(), await newOrganisation()];
      const email = unique();
      const userId = await newMember(one, 'viewer', email);
      expect(await newMember(two, 'admin', email)).toBe(userId);
      const token = await people.sessions.open(userId, 'password', place);
      const signedIn = await people.sessions.find(token);
      if (signedIn === null) throw new Error('not signed in');
      await expect(people.sessions.turnTo(signedIn, other)).rejects.toMatchObject({ code: 'identity.organisation_missing' });
      await people.sessions.turnTo(signedIn, two);
      expect((await people.sessions.find(token))?.membership).toMatchObject({ organisationId: two, role: 'admin' });
      expect((await people.sessions.memberships(userId)).map(({ role }) => role).sort()).toEqual(['admin', 'viewer']);
    });
  });

  describe('invitations', () => {
    it('are accepted once, for the role and the address they name', async () => {
      const organisationId = await newOrganisation();
      const email = unique();
      const { token } = await people.invitations.invite(actor(organisationId), { email, role: 'planner' });
      const ends = await Promise.allSettled([1, 2].map(() => people.invitations.acceptWithPassword(token, { name: 'Somebody', password }, place.address)));
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await people.members.list(organisationId)).toMatchObject([{ email, role: 'planner' }]);
    });

    it('of an address that has an account ask for its password', async () => {
      const email = unique();
      await newMember(await newOrganisation(), 'viewer', email);
      const { token } = await people.invitations.invite(actor(await newOrganisation()), { email, role: 'admin' });
      await expect(people.invitations.acceptWithPassword(token, { name: 'Thief', password: 'another long password' }, place.address)).rejects.toMatchObject({ code: 'identity.sign_in_refused' });
      await expect(people.invitations.acceptWithPassword(token, { name: 'Somebody', password }, place.address)).resolves.toMatchObject({ invitation: { email, role: 'admin' } });
    });

    it('are closed when withdrawn, replaced, a week old, changed, or of another organisation', async () => {
      const organisationId = await newOrganisation();
      const email = unique();
      const refused = (token: string) => expect(people.invitations.look(token)).rejects.toMatchObject({ code: 'identity.invitation_closed' });
      const replaced = await people.invitations.invite(actor(organisationId), { email, role: 'viewer' });
      const { invitation, token } = await people.invitations.invite(actor(organisationId), { email, role: 'viewer' });
      await refused(replaced.token);
      expect(await people.invitations.look(token)).toMatchObject({ id: invitation.id });
      expect(await people.invitations.list(organisationId)).toHaveLength(1);
      await refused(`${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`);
      await refused(token.replace(organisationId.replaceAll('-', ''), (await newOrganisation()).replaceAll('-', '')));
      await expect(people.invitations.withdraw(actor(await newOrganisation()), invitation.id)).rejects.toMatchObject({ code: 'identity.invitation_missing' });
      nowMs += 7 * 24 * 3_600_000;
      await refused(token);
      nowMs = Date.now();
      await people.invitations.withdraw(actor(organisationId), invitation.id);
      await refused(token);
    });

    it('give no role above that of who invites', async () => {
      const organisationId = await newOrganisation();
      await expect(people.invitations.invite(actor(organisationId, 'admin'), { email: unique(), role: 'owner' })).rejects.toMatchObject({ code: 'identity.not_yours_to_give' });
      await expect(people.invitations.invite(actor(organisationId, 'admin'), { email: unique(), role: 'admin' })).resolves.toMatchObject({ invitation: { role: 'admin' } });
    });
  });

  describe('what is above somebody', () => {
    const invited = async (by: UserActor, role: Role, email = unique()) => (await people.invitations.invite(by, { email, role })).invitation;
    const openOf = async (organisationId: string): Promise<readonly string[]> => (await people.invitations.list(organisationId)).map(({ id }) => id);

    it('is not theirs to withdraw, nor to replace by an invitation of their own', async () => {
      const organisationId = await newOrganisation();
      const email = unique();
      const toOwn = await invited(actor(organisationId), 'owner', email);
      const admin = actor(organisationId, 'admin');
      await expect(people.invitations.withdraw(admin, toOwn.id)).rejects.toMatchObject({ code: 'identity.above_you', definition: { http: 403 } });
      await expect(people.invitations.invite(admin, { email: email.toUpperCase(), role: 'viewer' })).rejects.toMatchObject({ code: 'identity.above_you' });
      expect(await openOf(organisationId)).toEqual([toOwn.id]);
      await people.invitations.withdraw(actor(organisationId), toOwn.id);
      const level = await invited(actor(organisationId), 'admin');
      await people.invitations.withdraw(admin, level.id);
      expect(await openOf(organisationId)).toEqual([]);
    });

    it('does not stay given: open invitations of who is removed, or may less, are withdrawn as far as they could not send them any more', async () => {
      const organisationId = await newOrganisation();
      const identity = createIdentity({ databases: database.databases });
      const userId = await newMember(organisationId, 'owner');
      await newMember(organisationId, 'owner');
      const them = { ...actor(organisationId), userId };
      const { keyId } = await identity.createApiKey({ organisationId, name: 'theirs', scopes: ['admin'], by: `user:${userId}` });
      const withKey = { ...actor(organisationId, 'admin'), kind: 'key' as const, keyId };
      const [toOwn, toAdmin] = [await invited(them, 'owner'), await invited(them, 'admin')];
      const byKey = (await people.invitations.invite(withKey, { email: unique(), role: 'viewer' })).invitation;
      const others = await invited(actor(organisationId), 'owner');
      expect(await people.members.changeRole(actor(organisationId), userId, 'admin')).toMatchObject({ withdrawnInvitations: [toOwn.id] });
      expect([...(await people.members.remove(actor(organisationId), userId)).withdrawnInvitations].sort()).toEqual([toAdmin.id, byKey.id].sort());
      expect(await openOf(organisationId)).toEqual([others.id]);
    });

    it('goes with the key that it was sent with; who still remembers that key sends none with it', async () => {
      const organisationId = await newOrganisation();
      const identity = createIdentity({ databases: database.databases });
      const withKey = async () => ({ ...actor(organisationId, 'admin'), kind: 'key' as const, keyId: (await identity.createApiKey({ organisationId, name: 'sends', scopes: ['admin'] })).keyId });
      const [gone, stays] = [await withKey(), await withKey()];
      const send = async (sender: typeof gone) => people.invitations.invite(sender, { email: unique(), role: 'viewer' });
      const [open, kept, used] = [await send(gone), await send(stays), await send(gone)];
      await people.invitations.acceptWithPassword(used.token, { name: 'In already', password }, place.address);
      expect(await identity.revokeApiKey({ organisationId, keyId: gone.keyId })).toEqual({ withdrawnInvitations: [open.invitation.id] });
      await expect(people.invitations.look(open.token)).rejects.toMatchObject({ code: 'identity.invitation_closed' });
      await expect(send(gone)).rejects.toMatchObject({ code: 'identity.unauthenticated' });
      expect(await openOf(organisationId)).toEqual([kept.invitation.id]);
      expect(await people.members.list(organisationId)).toHaveLength(1);
      expect(await identity.revokeApiKey({ organisationId, keyId: gone.keyId })).toEqual({ withdrawnInvitations: [] });
    });

    it('that is being sent with a key while that is revoked does not stay open', async () => {
      const organisationId = await newOrganisation();
      const identity = createIdentity({ databases: database.databases });
      const { keyId } = await identity.createApiKey({ organisationId, name: 'sends', scopes: ['admin'] });
      const sender = { ...actor(organisationId, 'admin'), kind: 'key' as const, keyId };
      const results = await Promise.allSettled([...Array.from({ length: 8 }, () => people.invitations.invite(sender, { email: unique(), role: 'viewer' })), identity.revokeApiKey({ organisationId, keyId })]);
      const reasons = results.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { readonly code?: string }).code] : []));
      expect(new Set([...reasons, 'identity.unauthenticated'])).toEqual(new Set(['identity.unauthenticated']));
      expect(await openOf(organisationId)).toEqual([]);
    });
  });

  describe('members', () => {
    it('keep at least one owner, also when two unmake each other at once', async () => {
      const organisationId = await newOrganisation();
      const [one, two] = [await newMember(organisationId, 'owner'), await newMember(organisationId, 'owner')];
      const ends = await Promise.allSettled([people.members.changeRole(actor(organisationId), one, 'viewer'), people.members.remove(actor(organisationId), two)]);
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect((await people.members.list(organisationId)).filter(({ role }) => role === 'owner')).toHaveLength(1);
    });

    it('take the keys they made, and those made with these, along as far as these may more than what is left to them', async () => {
      const organisationId = await newOrganisation();
      const identity = createIdentity({ databases: database.databases });
      const userId = await newMember(organisationId, 'admin');
      const key = async (scopes: readonly string[], by: string) => identity.createApiKey({ organisationId, name: scopes.join(), scopes, by });
      const isGood = (made: { readonly apiKey: string }): Promise<boolean> => createIdentity({ databases: database.databases, times: { waitMs: 20_000 } }).verifyApiKey(made.apiKey).then(() => true, () => false);
      const mighty = await key(['admin'], `user:${userId}`);
      const [second, reading] = [await key(['publish'], `key:${mighty.keyId}`), await key(['read'], `user:${userId}`)];
      const others = await key(['admin'], `user:${crypto.randomUUID()}`);
      expect((await people.members.changeRole(actor(organisationId), userId, 'admin')).revokedKeys).toEqual([]);
      expect(await people.members.changeRole(actor(organisationId), userId, 'viewer')).toMatchObject({ before: { role: 'admin' }, after: { role: 'viewer' }, revokedKeys: [mighty.keyId, second.keyId] });
      expect(await Promise.all([mighty, second, reading, others].map(isGood))).toEqual([false, false, true, true]);
      expect(await people.members.remove(actor(organisationId), userId)).toMatchObject({ revokedKeys: [reading.keyId] });
      expect(await Promise.all([reading, others].map(isGood))).toEqual([false, true]);
    });

    it('are changed by nobody who may less than they', async () => {
      const organisationId = await newOrganisation();
      const [chief, viewer] = [await newMember(organisationId, 'owner'), await newMember(organisationId, 'viewer')];
      await expect(people.members.remove(actor(organisationId, 'admin'), chief)).rejects.toMatchObject({ code: 'identity.not_yours_to_give' });
      await expect(people.members.changeRole(actor(organisationId, 'admin'), viewer, 'owner')).rejects.toMatchObject({ code: 'identity.not_yours_to_give' });
      await expect(people.members.changeRole(actor(await newOrganisation()), viewer, 'viewer')).rejects.toMatchObject({ code: 'identity.member_missing' });
    });
  });
});
