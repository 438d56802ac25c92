/**
 * How long a gRPC server asks to wait: google.rpc.RetryInfo inside the google.rpc.Status of the trailer
 * "grpc-status-details-bin". Read by hand, as it is three nested messages and input from outside.
 *
 *   Status    { 3: repeated Any details }        Any      { 1: string type_url, 2: bytes value }
 *   RetryInfo { 1: Duration retry_delay }        Duration { 1: int64 seconds,   2: int32 nanos }
 *
 * https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling
 */

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

type Field = { readonly number: number; readonly value: number; readonly bytes: Uint8Array };

/** The delay, or undefined when the trailer holds none or is not well formed. */
export function retryDelayMs(status: Uint8Array): number | undefined {
  for (const any of fields(status, 3)) {
    const type = first(any.bytes, 1);
    const info = first(any.bytes, 2);
    if (type === undefined || info === undefined || new TextDecoder().decode(type.bytes) !== RETRY_INFO) continue;
    const delay = first(info.bytes, 1);
    if (delay === undefined) return undefined;
    const seconds = first(delay.bytes, 1)?.value ?? 0;
    const nanos = first(delay.bytes, 2)?.value ?? 0;
    return seconds * 1000 + nanos / 1e6;
  }
  return undefined;
}

function first(message: Uint8Array, number: number): Field | undefined {
  return fields(message, number).next().value ?? undefined;
}

/** Fields with this number, up to the first malformed one. */
function* fields(message: Uint8Array, wanted: number): Generator<Field, undefined> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70 && at < message.length; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < message.length) {
    const tag = varint();
    const wire = tag % 8;
    const value = wire === 0 || wire === 2 ? varint() : 0;
    const length = wire === 2 ? value : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    if (Number.isNaN(tag + value) || wire === 3 || wire === 4 || wire > 5 || at + length > message.length) return;
    const bytes = message.subarray(at, at + length);
    at += length;
    if (Math.floor(tag / 8) === wanted) yield { number: wanted, value, bytes };
  }
}
