/** The three programs of the demo, each on a loopback port and with its files in a temporary folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Folder, Program, untilListening } from './programs.ts';

export interface NginxOptions {
  readonly port: number;
  readonly workers?: number;
  /** Contents of the `http` block; the default temporary paths and no access log are there already. */
  readonly http: string;
  /** Files to serve from `html/`, by name. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

export function startRedis(port: number, ...more: string[]): Promise<RunningServer> {
  return startServer(port, (folder) => {
    const persistence = ['--save', '', '--appendonly', 'no', '--dir', folder];
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--daemonize', 'no', ...persistence, ...more];
    return new Program('redis-server', 'redis-server', args);
  });
}

export function startNginx(options: NginxOptions): Promise<RunningServer> {
  return startServer(options.port, (folder) => {
    mkdirSync(join(folder, 'html'));
    for (const [name, content] of Object.entries(options.files ?? {})) {
      writeFileSync(join(folder, 'html', name), content);
    }
    writeFileSync(join(folder, 'nginx.conf'), nginxConfig(options));
    return new Program('nginx', 'nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr']);
  });
}

export function startService(port: number, redisPort: number): Promise<RunningServer> {
  const script = fileURLToPath(new URL('service.ts', import.meta.url));
  return startServer(port, () => new Program('service', process.execPath, [script, String(port), String(redisPort)]));
}

/** nginx in front of the service: answers /health and /logo.svg itself, passes everything else on. */
export function reverseProxy(port: number, servicePort: number): string {
  return `
    upstream service { server 127.0.0.1:${servicePort}; keepalive 8; }
    server {
      listen 127.0.0.1:${port};
      location = /health { return 200 "ok\\n"; }
      location = /logo.svg { root html; }
      location / {
        proxy_pass http://service;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
      }
    }`;
}

export class RunningServer implements AsyncDisposable {
  readonly program: Program;
  readonly port: number;
  readonly #folder: Folder;

  constructor(program: Program, port: number, folder: Folder) {
    this.program = program;
    this.port = port;
    this.#folder = folder;
  }

  get pid(): number {
    return this.program.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
    this.#folder[Symbol.dispose]();
  }
}

async function startServer(port: number, start: (folder: string) => Program): Promise<RunningServer> {
  const folder = new Folder();
  const server = new RunningServer(start(folder.path), port, folder);
  try {
    await untilListening(server.program, port);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Relative paths are below the folder that nginx is started with (-p). Workers stay root, to reach that folder. */
function nginxConfig({ workers = 1, http }: NginxOptions): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes ${workers};
    pid nginx.pid;
    events { worker_connections 1024; }
    http {
      access_log off;
      ${temporary.join(' ')}
      ${http}
    }`;
}
