/** Logs go to stderr, one JSON object or one readable line each; stdout belongs to spans. */
import { pino } from 'pino';

export type LogFormat = 'text' | 'json';
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the stages need of a logger. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const STDERR = 2;

export function createLog(level: LogLevel, format: LogFormat): Log {
  const destination = pino.destination({ dest: STDERR, sync: true });
  const stream = format === 'json' ? destination : { write: (line: string) => destination.write(readable(line)) };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/** `2026-01-02T03:04:05.678Z INFO  message key=value …` */
function readable(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${plain(value)}`);
  return `${time} ${String(level).toUpperCase().padEnd(5)} ${msg}${rest.join('')}\n`;
}

function plain(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}
