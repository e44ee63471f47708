export type FieldType = 'id' | 'string' | 'textarea' | 'picklist' | 'reference' | 'date' | 'datetime' | 'int' | 'double' | 'boolean' | 'email' | 'phone';

export interface ObjectField {
  readonly name: string;
  readonly label: string;
  readonly type: FieldType;
  readonly length?: number;
  readonly isExternalId?: boolean;
  readonly isUnique?: boolean;
  readonly isRequired?: boolean;
  readonly isReadOnly?: boolean;
  readonly default?: string | boolean | number;
  readonly values?: readonly string[];
  readonly referenceTo?: readonly string[];
}

export interface SalesforceObject {
  readonly name: string;
  readonly label: string;
  readonly labelPlural: string;
  readonly keyPrefix: string;
  /** Numbered by the server, as Case.CaseNumber. */
  readonly autoNumber?: string;
  readonly nameField: string;
  readonly fields: readonly ObjectField[];
}

const text = (name: string, length: number, more: Partial<ObjectField> = {}): ObjectField => ({ name, label: labelOf(name), type: 'string', length, ...more });
const long = (name: string, length = 32_000): ObjectField => ({ name, label: labelOf(name), type: 'textarea', length });
const pick = (name: string, values: readonly string[], more: Partial<ObjectField> = {}): ObjectField => ({ name, label: labelOf(name), type: 'picklist', length: 255, values, ...more });
const link = (name: string, ...referenceTo: readonly string[]): ObjectField => ({ name, label: labelOf(name), type: 'reference', length: 18, referenceTo });
const other = (name: string, type: FieldType, more: Partial<ObjectField> = {}): ObjectField => ({ name, label: labelOf(name), type, ...more });

function labelOf(name: string): string {
  return name.replace(/__c$/, '').replaceAll('_', ' ').replaceAll(/([a-z])([A-Z])/g, '$1 $2');
}

const system: readonly ObjectField[] = [
  other('Id', 'id', { length: 18, isReadOnly: true }),
  link('OwnerId', 'User'),
  other('IsDeleted', 'boolean', { isReadOnly: true }),
  other('CreatedDate', 'datetime', { isReadOnly: true }),
  other('LastModifiedDate', 'datetime', { isReadOnly: true }),
  other('SystemModstamp', 'datetime', { isReadOnly: true }),
];

/** External ids that are unique: where our reference may stand. */
export const referenceFields = ['Trunkline_Reference__c', 'Trunkline_Key__c'] as const;

/** The custom fields our set-up guide asks an administrator to make; Legacy_Id__c is an external id that is not unique. */
const custom: readonly ObjectField[] = [
  ...referenceFields.map((name) => text(name, 255, { isExternalId: true, isUnique: true })),
  text('Legacy_Id__c', 80, { isExternalId: true }),
  text('Job_Number__c', 80),
  text('TechOne_Job_Number__c', 80),
  text('Conversation_Id__c', 255),
];

/** Standard fields of Salesforce's object reference, v68.0, as far as a contact centre uses them. */
export const salesforceObjects: readonly SalesforceObject[] = [
  {
    name: 'Task',
    label: 'Task',
    labelPlural: 'Tasks',
    keyPrefix: '00T',
    nameField: 'Subject',
    fields: [
      ...system,
      text('Subject', 255),
      pick('Status', ['Not Started', 'In Progress', 'Completed', 'Waiting on someone else', 'Deferred'], { default: 'Not Started' }),
      pick('Priority', ['High', 'Normal', 'Low'], { default: 'Normal' }),
      other('ActivityDate', 'date'),
      long('Description'),
      link('WhoId', 'Contact', 'Lead'),
      link('WhatId', 'Account', 'Case', 'Opportunity'),
      pick('Type', ['Call', 'Email', 'Meeting', 'Other']),
      pick('TaskSubtype', ['Call', 'Email', 'Task'], { default: 'Task' }),
      pick('CallType', ['Internal', 'Inbound', 'Outbound']),
      other('CallDurationInSeconds', 'int'),
      text('CallDisposition', 255),
      text('CallObject', 255),
      other('IsClosed', 'boolean', { isReadOnly: true }),
      ...custom,
    ],
  },
  {
    name: 'Case',
    label: 'Case',
    labelPlural: 'Cases',
    keyPrefix: '500',
    autoNumber: 'CaseNumber',
    nameField: 'CaseNumber',
    fields: [
      ...system,
      text('CaseNumber', 30, { isReadOnly: true }),
      text('Subject', 255),
      long('Description'),
      pick('Status', ['New', 'Working', 'Escalated', 'Closed'], { default: 'New' }),
      pick('Origin', ['Phone', 'Email', 'Web']),
      pick('Priority', ['High', 'Medium', 'Low'], { default: 'Medium' }),
      pick('Type', ['Problem', 'Question', 'Request']),
      pick('Reason', []),
      link('ContactId', 'Contact'),
      link('AccountId', 'Account'),
      other('SuppliedEmail', 'email', { length: 80 }),
      text('SuppliedName', 80),
      other('SuppliedPhone', 'phone', { length: 40 }),
      other('IsClosed', 'boolean', { isReadOnly: true }),
      ...custom,
    ],
  },
  {
    name: 'Contact',
    label: 'Contact',
    labelPlural: 'Contacts',
    keyPrefix: '003',
    nameField: 'Name',
    fields: [
      ...system,
      text('Name', 121, { isReadOnly: true }),
      text('Salutation', 40),
      text('FirstName', 40),
      text('LastName', 80, { isRequired: true }),
      text('Title', 128),
      text('Department', 80),
      other('Email', 'email', { length: 80 }),
      other('Phone', 'phone', { length: 40 }),
      other('MobilePhone', 'phone', { length: 40 }),
      other('HomePhone', 'phone', { length: 40 }),
      text('MailingStreet', 255),
      text('MailingCity', 40),
      text('MailingState', 80),
      text('MailingPostalCode', 20),
      text('MailingCountry', 80),
      long('Description'),
      link('AccountId', 'Account'),
      ...custom,
    ],
  },
];

const byName = new Map(salesforceObjects.map((object) => [object.name.toLowerCase(), object]));

/** Object and field names do not depend on case. */
export function objectNamed(name: string): SalesforceObject | undefined {
  return byName.get(name.toLowerCase());
}

const fieldMaps = new Map(salesforceObjects.map((object) => [object.name, new Map(object.fields.map((field) => [field.name.toLowerCase(), field]))]));

export function fieldNamed(object: SalesforceObject, name: string): ObjectField | undefined {
  return fieldMaps.get(object.name)?.get(name.toLowerCase());
}

export function objectOfId(id: string): SalesforceObject | undefined {
  return salesforceObjects.find(({ keyPrefix }) => id.startsWith(keyPrefix));
}
