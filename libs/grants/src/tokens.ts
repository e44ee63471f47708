import type { IssuedTokens } from '@trunkline/connectors';

/** What is kept of a grant, sealed. */
export interface GrantTokens {
  /** The provider's answers, merged: the newest value of each field that ever had one. */
  readonly answer: Readonly<Record<string, unknown>>;
  /** Where the tokens are good; null: as the settings say. */
  readonly instanceUrl: string | null;
  /** Token endpoint and API as the settings named them when the person signed in. */
  readonly places: readonly string[];
}

/** A refresh answers with what is new; what it does not name stays, above all the refresh token (RFC 6749 §6). */
export function merged(before: Omit<GrantTokens, 'answer'> & Partial<GrantTokens>, { fields }: IssuedTokens, instanceUrl: string | null): GrantTokens {
  const named = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return { ...before, answer: { ...before.answer, ...Object.fromEntries(named) }, instanceUrl: instanceUrl ?? before.instanceUrl };
}

export function textIn({ answer }: GrantTokens, field: 'access_token' | 'refresh_token'): string | null {
  const value = answer[field];
  return typeof value === 'string' && value !== '' ? value : null;
}
