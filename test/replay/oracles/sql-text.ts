/** A statement as a span shows it: cut to what a parser keeps, then redacted by the host's own rules. */
import { type Redaction, redact, redactedMax } from '../../../host/spans/redact.ts';

/** What both SQL parsers keep of a statement. */
const TEXT_MAX = 2048;

export function statementText(bytes: Buffer, dialect: Redaction): string {
  const kept = bytes.subarray(0, TEXT_MAX);
  const out = new Uint8Array(redactedMax(kept.length));
  return new TextDecoder().decode(out.subarray(0, redact(dialect, kept, 0, kept.length, out)));
}
