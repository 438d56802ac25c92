/** What a client asked of MySQL and what a span says of it, in the same words: the command, and a statement's line. */
import type { Span } from './agent.ts';
import { type Details, ofStatementSpan, statement } from './statements.ts';

/** `QUERY: SELECT t | … | 3 rows`; an error's code has its SQLSTATE behind it. */
export function ofMysqlSpan(span: Span): string {
  const { 'mysql.command': name, 'mysql.response.sqlstate': state } = span.attributes;
  return [`${name}: ${ofStatementSpan(span, 'mysql.response.affected_rows')}`, state].filter(Boolean).join(' ');
}

/** The same of a command that is no statement. */
export function command(name: string, summary: string, details: Details = {}, outcome = ''): string {
  return `${name}: ${statement(summary, '', outcome, details)}`;
}
