/** Records real traffic on loopback with Wireshark's dumpcap, for spans and tshark to be compared on. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { type Folder, Program } from '../../examples/demo/programs.ts';
import { until } from '../export/fixtures.ts';

/** dumpcap writes what it has about twice a second. */
const WRITTEN_MS = 30_000;
/** For what comes while dumpcap gets no processor. */
const BUFFER_MIB = '64';
const SENTINEL = 'the recording ends here';

/** Why nothing can be recorded here; empty where it can. */
export function recordingMissing(): string {
  try {
    const interfaces = execFileSync('dumpcap', ['-D'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    return /^\d+\. lo\b/m.test(interfaces) ? '' : 'dumpcap may not record on loopback (it needs CAP_NET_RAW)';
  } catch {
    return 'dumpcap is not installed (apt-get install tshark)';
  }
}

/** Does the work, and leaves in the folder a capture of all that went over the port meanwhile. */
export async function record(folder: Folder, port: number, work: () => Promise<unknown>): Promise<string> {
  const path = join(folder.path, `${port}.pcapng`);
  await using end = await listenForEnd();
  const filter = `tcp port ${port} or tcp port ${end.port}`;
  await using dumpcap = new Program('dumpcap', 'dumpcap', [
    '-q',
    '-B',
    BUFFER_MIB,
    '-i',
    'lo',
    '-f',
    filter,
    '-w',
    path,
  ]);
  await until(() => dumpcap.ended || dumpcap.words.includes('File: '), 'dumpcap to begin', WRITTEN_MS);
  if (dumpcap.ended) throw new Error(`dumpcap did not start: ${dumpcap.words}`);
  await work();
  // Packets come in order: when this one is in the file, all others are.
  connect(end.port, '127.0.0.1').end(SENTINEL);
  await until(grownTo(path, SENTINEL), 'the capture to be written', WRITTEN_MS);
  await dumpcap.stop('SIGINT');
  return path;
}

/** Whether the file has the text by now; it is read only when it has grown. */
function grownTo(path: string, text: string): () => boolean {
  let size = 0;
  return () => {
    const before = size;
    size = statSync(path).size;
    return size > before && readFileSync(path).includes(text);
  };
}

async function listenForEnd(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => socket.resume());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
