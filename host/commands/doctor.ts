/**
 * `spanwire doctor`: what this kernel and these capabilities allow, tier by tier, with the remedy for each no.
 * It loads and attaches for a moment what `run` would attach; nothing stays. Exit code 0 when `run` would work.
 */
import { existsSync, readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { instantiateSync } from '@assemblyscript/loader';
import type { FeatureProbe } from '../../native/index.d.ts';
import { ABI_MAJOR } from '../../parsers/sdk/abi.ts';
import { addon, readBpfObject, readLadderObject } from '../kernel/addon.ts';
import { NEEDED_CAPABILITIES } from '../self/privileges.ts';
import type { ParserModule } from '../wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../wasm/load.ts';
import { FUEL_EXPORT } from '../wasm/rewrite/meter.ts';

interface Finding {
  readonly ok: boolean;
  /** False: worth knowing, but `run` works without it. */
  readonly needed: boolean;
  readonly what: string;
  readonly detail?: string | undefined;
  readonly remedy?: string | undefined;
}

/** Prints the findings; returns the exit code. */
export async function examine(): Promise<number> {
  const sections: [title: string, findings: Finding[]][] = [
    ['Machine', machine()],
    ['Capabilities', capabilities()],
    ['Kernel: capture tier T1 (socket-layer tracepoints, Linux 6.3+): what `spanwire run` uses', tierOne()],
    ['Kernel: lower tiers (reported for planning; this version captures by T1 only)', lowerTiers()],
    ['Parsers', parsers()],
  ];
  for (const [title, findings] of sections) {
    process.stdout.write(`${title}\n${findings.map(render).join('')}\n`);
  }
  const missing = sections.flatMap(([, findings]) => findings).filter(({ ok, needed }) => needed && !ok).length;
  process.stdout.write(
    missing === 0 ? '`spanwire run` works here.\n' : `\`spanwire run\` cannot work here: ${missing} missing.\n`,
  );
  return missing === 0 ? 0 : 1;
}

function render({ ok, needed, what, detail, remedy }: Finding): string {
  const mark = ok ? 'yes' : needed ? 'NO ' : 'no ';
  const lines = [`  ${mark}  ${what}`];
  if (!ok && detail) lines.push(...lastLines(detail, 6).map((line) => `         ${line}`));
  if (!ok && remedy) lines.push(`       → ${remedy}`);
  return `${lines.join('\n')}\n`;
}

/** A verifier log is long and its end tells. */
function lastLines(text: string, count: number): string[] {
  return text.trim().split('\n').slice(-count);
}

function machine(): Finding[] {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const lockdown = readOr('/sys/kernel/security/lockdown', '');
  return [
    {
      ok: major > 6 || (major === 6 && minor >= 3),
      needed: true,
      what: `Linux ${release()}`,
      remedy: 'Linux 6.3 or newer is needed: sock_send_length and sock_recv_length appeared there.',
    },
    {
      ok: ['x64', 'arm64'].includes(arch()),
      needed: true,
      what: `${arch()}`,
      remedy: 'x86-64 and arm64 are supported.',
    },
    {
      ok: existsSync('/sys/kernel/btf/vmlinux'),
      needed: true,
      what: 'BTF of the kernel (/sys/kernel/btf/vmlinux)',
      remedy: 'Use a kernel built with CONFIG_DEBUG_INFO_BTF=y; all major distributions have it.',
    },
    {
      ok: !lockdown.includes('[confidentiality]'),
      needed: true,
      what: `kernel lockdown: ${/\[(\w+)\]/.exec(lockdown)?.[1] ?? 'not enabled'}`,
      remedy: 'Lockdown mode "confidentiality" forbids reading kernel memory: boot with lockdown=integrity or none.',
    },
  ];
}

function capabilities(): Finding[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readOr('/proc/self/status', ''))?.[1] ?? '0'}`);
  return NEEDED_CAPABILITIES.map(({ name, bit, reason, needed }) => ({
    ok: ((effective >> BigInt(bit)) & 1n) === 1n,
    needed,
    what: `${name}: ${reason}`,
    remedy: `Run as root, or give it: securityContext.capabilities.add in Kubernetes, setcap on a host.`,
  }));
}

function tierOne(): Finding[] {
  return addon
    .probe(readBpfObject())
    .filter(isKernelFeature)
    .map((probe) => finding(probe, true));
}

function lowerTiers(): Finding[] {
  return addon
    .probe(readLadderObject())
    .filter(({ name }) => name.startsWith('program:'))
    .map((probe) => finding(probe, false));
}

/** Capabilities have a section of their own. */
function isKernelFeature({ name }: FeatureProbe): boolean {
  return !name.startsWith('capability:');
}

function finding({ name, ok, code, detail }: FeatureProbe, needed: boolean): Finding {
  return { ok, needed, what: name.replace(':', ' '), detail: `${code}: ${detail}`, remedy: remedyFor(code) };
}

function remedyFor(code: string | undefined): string {
  if (code === 'EPERM' && process.geteuid?.() === 0) {
    return 'Refused even to root: the kernel is built without it, or locked down (see above).';
  }
  if (code === 'EPERM' || code === 'EACCES')
    return 'Run as root or with CAP_BPF and CAP_PERFMON; check lockdown above.';
  if (code === 'ENOENT' && !existsSync('/sys/kernel/tracing/events')) {
    return 'Mount tracefs: mount -t tracefs tracefs /sys/kernel/tracing';
  }
  if (code === 'ENOENT' || code === 'ESRCH') return 'This kernel does not have the hook: a newer one is needed.';
  return 'The kernel refused it; its words are above. Please report them with the kernel version.';
}

function parsers(): Finding[] {
  try {
    return loadModules(shippedModuleFolder()).map(parser);
  } catch (error) {
    return [{ ok: false, needed: true, what: 'parser modules', detail: (error as Error).message }];
  }
}

/** Starts the module and asks it which ABI it speaks: our own, so AssemblyScript's loader may run it. */
function parser({ manifest, module }: ParserModule): Finding {
  const { exports } = instantiateSync<{ abi_version(): number; readonly [FUEL_EXPORT]: { value: number } }>(module);
  exports[FUEL_EXPORT].value = manifest.limits.fuelPerKiB;
  const spoken = exports.abi_version() >>> 16;
  return {
    ok: spoken === ABI_MAJOR,
    needed: true,
    what: `${manifest.name} ${manifest.version}: ${manifest.protocols.map(({ name }) => name).join(', ')}`,
    detail: `speaks ABI ${spoken}, this host speaks ${ABI_MAJOR}`,
    remedy: 'Build it anew: npm run build.',
  };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
