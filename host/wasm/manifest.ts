/**
 * What a parser module says about itself, and the checks that need no guest code to run: the JSON manifest in the
 * custom section `spanwire.manifest`, imports, exports and start function. Rule: a module that passes here can be
 * instantiated without any code of it running; everything it says later is still untrusted.
 * Prose: docs/abi.md. Binary format: https://webassembly.github.io/spec/core/binary/modules.html
 */
import { valid } from 'semver';
import { z } from 'zod';
import { ABI_MAJOR, MESSAGE_MAX, SLOT_ALIGN, SLOT_HEADER } from '../../parsers/sdk/abi.ts';
import { RefusedError } from './refusal.ts';
import { hasStartSection, WasmFormatError } from './sections.ts';

export const MANIFEST_SECTION = 'spanwire.manifest';
/** Golden cases, as Markdown. */
export const CASES_SECTION = 'spanwire.cases';

/** Largest manifest: an attribute table of a thousand rows fits; a bomb does not. */
const MANIFEST_MAX_BYTES = 256 * 1024;
/** Largest slot class. HTTP/2 with a thousand streams needs about 200 KiB. */
const SLOT_MAX_BYTES = 1024 * 1024;
/** What an address of 32 bits reaches, but for the last page. It is a bound: slots take memory as they are used. */
const MEMORY_PAGES_MAX = 65_535;
const FUEL_PER_KIB_MAX = 2_000_000;
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

const token = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be lower case, digits and dashes, 32 characters at most');
/** What says who made a span and how far it can be trusted is the host's to say. */
const attributeName = z
  .string()
  .regex(/^(?!constructor$)[a-z][a-z0-9_.-]{0,127}$/, 'must be a dotted lower-case OpenTelemetry name')
  .regex(/^(?!(spanwire|service|telemetry|process|host|container|k8s)\.)/, "is in a namespace that is the host's");
const version = z
  .string()
  .max(64)
  .refine((text) => valid(text) === text, 'must be a semantic version such as 1.0.0');
const attributeType = z.enum(['string', 'int', 'double', 'boolean', 'pair']);
const status = z.int().min(1).max(0xffff_ffff);
/** From this status on, or each of these, is an error. */
const errorRule = z.union([status, z.array(status).min(1).max(64)]);

const attributeDefinition = z.strictObject({
  /** Stands in the attribute records of the module's output. */
  id: z.int().min(1).max(65_535),
  name: attributeName,
  type: attributeType,
  /** Trace context that the host takes as parent instead of reporting it. */
  role: z.enum(['traceparent', 'tracestate']).optional(),
  /** Class of secret the host redacts before it reports the value. */
  redaction: z.enum(['query', 'sql', 'auth', 'header']).optional(),
  /** Reported only where the configuration asks for it. */
  optIn: z.boolean().optional(),
  /** Of a pair: the setting that says which keys there may be. */
  keys: attributeName.optional(),
  /** Name of the constant in the generated attributes.ts, where the upper-snaked name will not do. */
  const: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/, 'must be UPPER_SNAKE')
    .optional(),
});

const protocol = z.strictObject({
  name: token,
  kind: z.enum(['http', 'rpc', 'db', 'messaging', 'other']),
  /** fifo: k-th request with k-th response; key: equal MESSAGE_KEY; none: every message is one-way. */
  pairing: z.enum(['fifo', 'key', 'none']),
  /** Span name: `{attribute}` is replaced; where one is missing, the fallback names the span. */
  spanName: z.string().min(1).max(256),
  spanNameFallback: z.string().min(1).max(128),
  /** Attribute that reports MESSAGE_STATUS of the response, and which values are errors for each side. */
  status: z
    .strictObject({
      attribute: attributeName,
      error: z.strictObject({ server: errorRule.optional(), client: errorRule.optional() }),
    })
    .optional(),
  /** Attributes that report MESSAGE_BODY_BYTES. */
  bodySize: z.strictObject({ request: attributeName.optional(), response: attributeName.optional() }).optional(),
  /** Attributes that every span of the protocol carries. */
  constants: z.record(attributeName, z.union([z.string().max(256), z.number(), z.boolean()])),
});

const manifest = z.strictObject({
  name: token,
  version,
  abi: z.strictObject({ major: z.int().min(1), minor: z.int().min(0) }),
  /** MESSAGE_PROTOCOL of an output record is an index into this list. */
  protocols: z.array(protocol).min(1).max(16),
  /** Hints that break ties of identification; never decisive. */
  ports: z.array(z.int().min(1).max(65_535)).max(64),
  /** Latin-1 prefixes of either direction; the host asks `identify` only after one of them. Empty: always. */
  magic: z.array(z.string().regex(/^[\0-\xff]{1,32}$/, 'must be 1 to 32 Latin-1 characters')).max(128),
  /** Captured bytes of a connection before which `identify` is not asked. */
  minBytes: z.int().min(1).max(4096).default(1),
  /** Upgrades that hand a connection to this module. */
  accepts: z
    .array(z.enum(['tunnel', 'websocket', 'http2', 'tls']))
    .max(4)
    .default([]),
  /** Slot classes in bytes, ascending; a connection begins in the first. */
  slots: z
    .array(z.int().min(SLOT_HEADER).max(SLOT_MAX_BYTES).multipleOf(SLOT_ALIGN, `must be a multiple of ${SLOT_ALIGN}`))
    .min(1)
    .max(4),
  /** Slots are handed to another version of the module only when this is equal. */
  stateVersion: z.int().min(1),
  limits: z.strictObject({
    memoryPages: z.int().min(1).max(MEMORY_PAGES_MAX),
    fuelPerKiB: z.int().min(1).max(FUEL_PER_KIB_MAX),
    outputPerCall: z.int().min(MESSAGE_MAX).max(OUTPUT_MAX_BYTES),
  }),
  attributes: z.array(attributeDefinition).max(1024),
  /** Settings that `configure` is told, of those the host has. */
  settings: z.array(attributeName).max(16).default([]),
});

export type Manifest = z.infer<typeof manifest>;
export type Protocol = z.infer<typeof protocol>;
export type AttributeDefinition = z.infer<typeof attributeDefinition>;
export type AttributeType = z.infer<typeof attributeType>;

/** The exports every module has, and their kinds. */
const EXPORTS: Readonly<Record<string, WebAssembly.ExternalKind>> = {
  memory: 'memory',
  abi_version: 'function',
  layout: 'function',
  open: 'function',
  identify: 'function',
  run: 'function',
  close: 'function',
};

/**
 * The manifest of a module that passes every static check; throws RefusedError otherwise. Given bytes it also refuses
 * a start function, which a compiled module no longer shows: untrusted files come as bytes.
 */
export function readManifest(source: Uint8Array<ArrayBuffer> | WebAssembly.Module): Manifest {
  const module = source instanceof WebAssembly.Module ? source : compile(source);
  checkImportsAndExports(module);
  const read = parseManifest(manifestText(module));
  if (read.settings.length > 0 && !hasFunction(module, 'configure')) {
    throw new RefusedError('names settings, and lacks the export "configure" (function)');
  }
  return read;
}

/** Checks manifest text as it stands in manifest.json or in the custom section. */
export function parseManifest(text: string): Manifest {
  const parsed = manifest.safeParse(parseJson(text));
  if (!parsed.success) throw new RefusedError(`manifest: ${describe(parsed.error)}`);
  checkMeaning(parsed.data);
  return parsed.data;
}

function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    const module = new WebAssembly.Module(bytes);
    if (hasStartSection(bytes)) throw new RefusedError('has a start function; a module must not run code when loaded');
    return module;
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) throw new RefusedError(`not a valid module: ${error.message}`);
    if (error instanceof WasmFormatError) throw new RefusedError(error.message);
    throw error;
  }
}

function checkImportsAndExports(module: WebAssembly.Module): void {
  const [first] = WebAssembly.Module.imports(module);
  if (first) throw new RefusedError(`imports ${first.module}.${first.name}; a module must import nothing`);
  const found = new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]));
  for (const [name, kind] of Object.entries(EXPORTS)) {
    const actual = found.get(name);
    if (actual === undefined) throw new RefusedError(`lacks the export "${name}" (${kind})`);
    if (actual !== kind) throw new RefusedError(`export "${name}" is a ${actual}, must be a ${kind}`);
  }
  if (found.has('migrate') && found.get('migrate') !== 'function') {
    throw new RefusedError(`export "migrate" is a ${found.get('migrate')}, must be a function`);
  }
}

function hasFunction(module: WebAssembly.Module, wanted: string): boolean {
  return WebAssembly.Module.exports(module).some(({ name, kind }) => name === wanted && kind === 'function');
}

function manifestText(module: WebAssembly.Module): string {
  const sections = WebAssembly.Module.customSections(module, MANIFEST_SECTION);
  const [section] = sections;
  if (!section) throw new RefusedError(`lacks the custom section "${MANIFEST_SECTION}"`);
  if (sections.length > 1) throw new RefusedError(`has ${sections.length} sections "${MANIFEST_SECTION}", must be one`);
  if (section.byteLength > MANIFEST_MAX_BYTES) {
    throw new RefusedError(`manifest is ${section.byteLength} bytes, at most ${MANIFEST_MAX_BYTES} are read`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(section);
  } catch {
    throw new RefusedError('manifest is not UTF-8');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RefusedError(`manifest is not JSON: ${(error as Error).message}`);
  }
}

function describe(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || '(root)'}: ${message}`)
    .join('; ');
}

/** What a schema cannot say: relations between the fields. */
function checkMeaning(manifest: Manifest): void {
  const { abi, attributes, protocols, slots } = manifest;
  if (abi.major !== ABI_MAJOR) {
    throw new RefusedError(`speaks ABI ${abi.major}.${abi.minor}, this host speaks ${ABI_MAJOR}.x`);
  }
  checkSettings(manifest);
  requireUnique(
    'attribute id',
    attributes.map(({ id }) => id),
  );
  requireUnique(
    'attribute name',
    attributes.map(({ name }) => name),
  );
  requireUnique(
    'protocol name',
    protocols.map(({ name }) => name),
  );
  if (slots.some((size, index) => index > 0 && size <= slots[index - 1]!)) {
    throw new RefusedError(`slots: sizes must ascend, found ${slots.join(', ')}`);
  }
  for (const one of protocols) checkSpanName(one, attributes);
  if (protocols.some(({ pairing }) => pairing !== protocols[0]!.pairing)) {
    throw new RefusedError('protocols of one module must have the same pairing');
  }
  const odd = attributes.find(({ redaction, role, type }) => (redaction || role) && type !== 'string');
  if (odd) throw new RefusedError(`attribute ${odd.name}: only a string can be redacted or carry trace context`);
}

/** Both came with version 1.1. */
function checkSettings({ abi, attributes, settings }: Manifest): void {
  requireUnique('setting', settings);
  for (const { name, type, keys } of attributes) {
    if ((type === 'pair') !== (keys !== undefined)) {
      throw new RefusedError(`attribute ${name}: a pair has keys, and nothing else has`);
    }
    if (keys !== undefined && !settings.includes(keys)) {
      throw new RefusedError(`attribute ${name}: its keys are those of "${keys}", which is none of the settings`);
    }
  }
  if (settings.length > 0 && abi.minor < 1) throw new RefusedError('settings need ABI 1.1');
}

function requireUnique(what: string, values: readonly (string | number)[]): void {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new RefusedError(`${what} ${twice} is defined twice`);
}

function checkSpanName(protocol: Protocol, attributes: AttributeDefinition[]): void {
  const { name, constants, status } = protocol;
  const single = attributes.filter(({ type }) => type !== 'pair').map((attribute) => attribute.name);
  const known = new Set([...single, ...Object.keys(constants)]);
  if (status) known.add(status.attribute);
  for (const key of ['spanName', 'spanNameFallback'] as const) {
    const template = protocol[key];
    const unknown = [...template.matchAll(/\{([^{}]*)\}/g)].find(([, reference]) => !known.has(reference!));
    if (unknown) {
      throw new RefusedError(`protocol ${name}: ${key} refers to "${unknown[1]}", which is no attribute of the module`);
    }
    if (/[{}]/.test(template.replace(/\{[^{}]*\}/g, ''))) {
      throw new RefusedError(`protocol ${name}: ${key} has an unpaired brace: ${template}`);
    }
  }
}
