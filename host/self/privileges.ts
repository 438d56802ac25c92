/** What running needs, and what the kernel's refusal means, in words that say what to do. */

interface Capability {
  readonly name: string;
  /** Its number in linux/capability.h. */
  readonly bit: number;
  readonly reason: string;
  /** False: things work without it, less well. */
  readonly needed: boolean;
}

export const NEEDED_CAPABILITIES: readonly Capability[] = [
  { name: 'CAP_BPF', bit: 39, reason: 'load BPF programs and create maps', needed: true },
  { name: 'CAP_PERFMON', bit: 38, reason: 'attach to tracepoints and read kernel memory', needed: true },
  { name: 'CAP_SYS_PTRACE', bit: 19, reason: "read other users' /proc/PID/exe and fd", needed: false },
  { name: 'CAP_DAC_READ_SEARCH', bit: 2, reason: 'look into /proc of containers', needed: false },
];

const DETAIL_LINES = 12;

interface KernelError extends Error {
  readonly code?: string;
  readonly detail?: string;
}

/** The same error for the user: what failed, the kernel's words, the remedy. */
export function explainRefusal(cause: unknown): Error {
  const error = cause as KernelError;
  const detail = error.detail?.trim().split('\n') ?? [];
  // A verifier log is thousands of lines, and its end tells.
  const words = [error.message, ...detail.slice(0, 1), ...detail.slice(1).slice(-DETAIL_LINES)].join('\n');
  return new Error(`${words}\n${hint(error.code)}`, { cause });
}

function hint(code: string | undefined): string {
  if (code === 'EPERM' || code === 'EACCES') return capabilityHint();
  return 'Run `spanwire doctor` to see what this kernel allows (Linux 6.3 or newer with BTF is needed).';
}

export function capabilityHint(): string {
  const list = NEEDED_CAPABILITIES.map(({ name, reason }) => `  ${name.padEnd(20)} ${reason}`).join('\n');
  const names = NEEDED_CAPABILITIES.map(({ name }) => name.toLowerCase()).join(',');
  return [
    'Spanwire needs root or these capabilities:',
    list,
    `Run it as root, or once: setcap ${names}+ep "$(command -v node)"`,
  ].join('\n');
}
