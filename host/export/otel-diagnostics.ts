/**
 * OpenTelemetry's own log, which is one per thread: its warnings go to ours, and what it says about partial success is
 * kept for the export it belongs to, since the exporters report it nowhere else. They do so synchronously just before
 * they call back with the result, so a callback that calls acceptedOutcome() finds its own and no other.
 */
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { ExportOutcome } from '../spans/span.ts';
import type { ExportLog } from './failure-log.ts';

interface PartialSuccess {
  readonly rejectedSpans: number;
  readonly message: string;
}

const PARTIAL_SUCCESS = 'Received Partial Success response:';
const LONGEST_TEXT = 300;

let partialSuccess: PartialSuccess | undefined;

export function bridgeDiagnostics(log: ExportLog): void {
  const warn = (message: string, ...rest: unknown[]): void => {
    if (message === PARTIAL_SUCCESS) keepPartialSuccess(rest[0], log);
    else log.warn({ details: rest.map(shorten) }, `OpenTelemetry: ${shorten(message)}`);
  };
  const ignore = () => {};
  const logger = { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** What a success of the exporter means for a request of so many spans. Only to be called in its result callback. */
export function acceptedOutcome(spans: number, called = 'spans'): ExportOutcome {
  const partial = partialSuccess;
  partialSuccess = undefined;
  if (partial === undefined) return { ok: true };
  const { rejectedSpans, message } = partial;
  const reason = `the collector rejected ${rejectedSpans} of ${spans} ${called}: ${message}`;
  return { ok: false, retry: false, reason, delivered: spans - rejectedSpans };
}

/** Without rejected spans it is a warning only. */
function keepPartialSuccess(json: unknown, log: ExportLog): void {
  const partial = parsePartialSuccess(json);
  if (partial === undefined || partial.rejectedSpans > 0) partialSuccess = partial;
  else if (partial.message !== '') log.warn({}, `the collector took all and says: ${partial.message}`);
}

/** The collector's words are input from outside: anything may stand there. JSON carries the int64 as a string. */
function parsePartialSuccess(json: unknown): PartialSuccess | undefined {
  try {
    const { rejectedSpans, rejectedDataPoints, errorMessage } = JSON.parse(String(json));
    const rejected = Number(rejectedSpans ?? rejectedDataPoints ?? 0);
    return {
      rejectedSpans: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
      message: shorten(errorMessage ?? ''),
    };
  } catch {
    return undefined;
  }
}

export function shorten(value: unknown): string {
  const text = value instanceof Error ? value.message : typeof value === 'string' ? value : String(value);
  const printable = text.replace(/\p{Cc}+/gu, ' ').trim();
  return printable.length > LONGEST_TEXT ? `${printable.slice(0, LONGEST_TEXT)}…` : printable;
}
