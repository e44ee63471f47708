import { readFileSync, readdirSync } from 'node:fs';

const kibibytesPerMebibyte = 1024;

/** Resident memory of one process in MiB, as Linux tells it; 0 once it has ended. */
export function residentMiB(pid: number): number {
  return field(pid, 'VmRSS') / kibibytesPerMebibyte;
}

/**
 * Memory in MiB that belongs to one process of a database server alone: the mean of all, for their number follows the number of connections.
 * Its shared buffers are left out: each process counts the pages it has touched, so their sum rises until all are touched and says nothing.
 */
export function ownMemoryOfDatabaseMiB(postmaster: number): number {
  const pids = [postmaster, ...childrenOf(postmaster)];
  return pids.reduce((sum, pid) => sum + field(pid, 'RssAnon'), 0) / kibibytesPerMebibyte / pids.length;
}

export function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => field(pid, 'PPid') === parent);
}

function field(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(statusOf(pid))?.[1] ?? 0);
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It ended between being listed and being read.
    return '';
  }
}
