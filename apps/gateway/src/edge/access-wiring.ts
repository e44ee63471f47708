import type { Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { Identity, OpenIdSignIn, People } from '@trunkline/identity';
import { AccessGuard, identity as identityToken, openIdToken, peopleToken } from './access.guard.js';
import type { Patience } from './fastify.js';
import { effectListener, type EffectListener } from './effect.interceptor.js';
import { type Limiter, RequestLimits } from './request-limits.js';
import { Cookies, SiteAddress } from './session-cookie.js';
import { UnaskedBodyGuard } from './unasked-body.guard.js';

/** Everything that decides who may come in. */
export interface AccessWiring {
  readonly identity: Identity;
  readonly people: People;
  readonly openId: OpenIdSignIn | null;
  readonly limiter: Limiter;
  /** Told of every effect of an actor. */
  readonly onEffect: EffectListener;
  /** Where people reach the gateway; null: wherever the request came to. */
  readonly publicUrl: string | null;
  /** Requests without a credential, per address; null: not counted. */
  readonly strangerRequestsPerMinute: number | null;
  /** Addresses whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** How long a sender may take; the usual times where it is not given. */
  readonly patience?: Patience;
}

export function accessProviders(access: AccessWiring, limits: RequestLimits): readonly Provider[] {
  const site = new SiteAddress(access.publicUrl);
  return [
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_GUARD, useClass: UnaskedBodyGuard },
    { provide: identityToken, useValue: access.identity },
    { provide: peopleToken, useValue: access.people },
    { provide: openIdToken, useValue: access.openId },
    { provide: effectListener, useValue: access.onEffect },
    { provide: RequestLimits, useValue: limits },
    { provide: SiteAddress, useValue: site },
    { provide: Cookies, useValue: new Cookies(site) },
  ];
}
