/** Kafka: "API key, version, correlation id" and the first error code that is not 0. */
import { find, findAll, type PdmlField } from '../tshark.ts';
import { type Meaning, type Oracle, pair } from './exchange.ts';

const CORRELATION_ID = 'kafka.correlation_id';

export const KAFKA: Oracle = {
  protocols: ['kafka'],
  dissector: 'kafka',
  ports: [9092, 36333],
  optIn: [CORRELATION_ID],
  isKeyed: true,
  dissected: (packets) => pair(packets, (proto, { isToServer }) => [readFrame(proto, isToServer)]),
  reported: ({ attributes }) => {
    const { 'kafka.api.key': key, 'kafka.api.version': version, 'kafka.error_code': error = 0 } = attributes;
    return {
      request: `${key} v${version} #${attributes[CORRELATION_ID]}`,
      response: String(error),
    };
  },
};

function readFrame(proto: PdmlField, isRequest: boolean): Meaning {
  const show = (name: string) => find(proto, name)?.show;
  const key = show('kafka.correlation_id');
  if (isRequest) return { key, request: `${show('kafka.api_key')} v${show('kafka.api_version')} #${key}` };
  const errors = findAll(proto, 'kafka.error').map((field) => Number(field.show));
  return { key, response: String(errors.find((code) => code !== 0) ?? 0) };
}
