/** How `app_tenant` and `app_system` see a row's organisation. An unset or empty setting means no rows, never all rows. */
const ownOrganisation = `nullif(current_setting('app.org_id', true), '')::uuid`;
/** The sub-select makes the planner evaluate the list once per statement instead of once per row. */
const namedOrganisations = `any((select string_to_array(nullif(current_setting('app.org_ids', true), ''), ',')::uuid[])::uuid[])`;

export type Verb = 'select' | 'insert' | 'update' | 'delete';

export interface TenantTableOptions {
  /** The column holding the organisation. */
  readonly column?: string;
  readonly tenantMay?: readonly Verb[];
  readonly systemMay?: readonly Verb[];
}

const everyVerb: readonly Verb[] = ['select', 'insert', 'update', 'delete'];

/** Statements that shut a table to everybody but the organisation of its rows: row-level security on and forced (also for the owner), one policy per role, grants. */
export function tenantTable(name: string, { column = 'organisation_id', tenantMay = everyVerb, systemMay = everyVerb }: TenantTableOptions = {}): readonly string[] {
  const ofTenant = `${column} = ${ownOrganisation}`;
  const ofSystem = `${column} = ${namedOrganisations}`;
  return [
    `alter table ${name} enable row level security`,
    `alter table ${name} force row level security`,
    `create policy tenant on ${name} for all to app_tenant using (${ofTenant}) with check (${ofTenant})`,
    `create policy system on ${name} for all to app_system using (${ofSystem}) with check (${ofSystem})`,
    ...grants(name, 'app_tenant', tenantMay),
    ...grants(name, 'app_system', systemMay),
  ];
}

/** Tables without row-level security hold ids only and are listed in the catalogue check. */
export function tenantFreeTable(name: string, systemMay: readonly Verb[] = everyVerb): readonly string[] {
  return grants(name, 'app_system', systemMay);
}

function grants(table: string, role: string, verbs: readonly Verb[]): readonly string[] {
  return verbs.length === 0 ? [] : [`grant ${verbs.join(', ')} on ${table} to ${role}`];
}
