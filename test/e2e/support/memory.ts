/** Memory of a process as Linux counts it. https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
import { readFileSync } from 'node:fs';

/** Resident memory now, in bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}
