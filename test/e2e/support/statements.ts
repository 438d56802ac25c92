/** What a client asked of an SQL server and what a span says of it, in the same words. */
import type { Span } from './agent.ts';

/** `SELECT t | SELECT a FROM t WHERE b = ? | 3 rows`; the last part is the outcome: rows, affected, an error's code. */
export function statement(summary: string, text: string, outcome: string, details: Details = {}): string {
  const [operation, collection, ...more] = summary.split(' ');
  const about = { operation, collection: more.length > 0 ? undefined : collection, namespace: 'shop', ...details };
  return [summary, about.operation, about.collection, about.namespace, text, outcome]
    .map((one) => one ?? '')
    .join(' | ');
}

/** Where they do not follow from the summary. */
export interface Details {
  readonly operation?: string | undefined;
  readonly collection?: string | undefined;
  readonly namespace?: string | undefined;
}

/** The same of a span, with the attribute that counts affected rows. */
export function ofStatementSpan({ name, status, attributes }: Span, affected: string): string {
  const about = ['operation.name', 'collection.name'].map((one) => attributes[`db.${one}`] ?? '');
  const counted = [
    ['rows', attributes['db.response.returned_rows']],
    ['affected', attributes[affected]],
  ].flatMap(([unit, count]) => (count === undefined ? [] : [`${count} ${unit}`]));
  const failed = attributes['db.response.status_code'] ?? attributes['error.type'];
  const outcome = status === 'error' ? [...counted, failed] : counted;
  const where = attributes['db.namespace'] ?? '';
  return [name, ...about, where, attributes['db.query.text'] ?? '', outcome.join(' ')].join(' | ');
}
