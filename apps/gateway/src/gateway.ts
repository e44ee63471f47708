import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { OpenApi } from './documents/open-api.js';
import { edgeAdapter } from './edge/fastify.js';
import { ProblemFilter, type ReportBug } from './edge/problem.filter.js';
import { GatewayModule, type GatewayWiring } from './gateway.module.js';

/** The HTTP application alone: no port is open yet and nothing it was given belongs to it. */
export async function createGatewayApplication(wiring: GatewayWiring, reportBug: ReportBug): Promise<NestFastifyApplication> {
  const { trustedProxies, publicUrl, patience } = wiring.access;
  const application = await NestFactory.create<NestFastifyApplication>(GatewayModule.over(wiring), edgeAdapter(reportBug, { trustedProxies, isHttps: publicUrl?.startsWith('https:') === true, patience }), { bodyParser: false, logger: false, abortOnError: false });
  application.useGlobalFilters(new ProblemFilter(reportBug));
  await application.init();
  application.get(OpenApi).describe(application);
  return application;
}
