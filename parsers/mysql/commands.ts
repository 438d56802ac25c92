/**
 * The commands a client sends, what they are called, and what a header can be.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html
 * https://mariadb.com/kb/en/2-text-protocol/ and 3-binary-protocol-prepared-statements
 */

export const SLEEP: u32 = 0x00;
export const QUIT: u32 = 0x01;
export const INIT_DB: u32 = 0x02;
export const QUERY: u32 = 0x03;
export const FIELD_LIST: u32 = 0x04;
export const STATISTICS: u32 = 0x09;
export const PROCESS_INFO: u32 = 0x0a;
export const PROCESS_KILL: u32 = 0x0c;
export const PING: u32 = 0x0e;
export const CHANGE_USER: u32 = 0x11;
export const BINLOG_DUMP: u32 = 0x12;
export const TABLE_DUMP: u32 = 0x13;
export const STMT_PREPARE: u32 = 0x16;
export const STMT_EXECUTE: u32 = 0x17;
export const STMT_SEND_LONG_DATA: u32 = 0x18;
export const STMT_CLOSE: u32 = 0x19;
export const STMT_RESET: u32 = 0x1a;
export const STMT_FETCH: u32 = 0x1c;
export const BINLOG_DUMP_GTID: u32 = 0x1e;
export const RESET_CONNECTION: u32 = 0x1f;
export const CLONE: u32 = 0x20;
/** MariaDB. */
export const STMT_BULK_EXECUTE: u32 = 0xfa;
/** No command, but waits for an answer like one: the client's half of the handshake. */
export const LOGIN: u32 = 0xff;
/** A query that changes the database. */
export const USE: u32 = 0xfe;

/** The longest name there is, and more. */
const NAME_SIZE: u32 = 20;
export const nameAt: usize = memory.data(24, 8);

/** Whether such a command has no response. */
export function isSilent(command: u32): bool {
  return command == QUIT || command == STMT_CLOSE || command == STMT_SEND_LONG_DATA;
}

/** From here on the server sends events, not responses. */
export function isStream(command: u32): bool {
  return command == BINLOG_DUMP || command == TABLE_DUMP || command == BINLOG_DUMP_GTID || command == CLONE;
}

export function isExecute(command: u32): bool {
  return command == STMT_EXECUTE || command == STMT_BULK_EXECUTE;
}

/** Whether a payload of `length` bytes may be this command. */
export function fits(command: u32, length: u32): bool {
  switch (command) {
    case QUIT:
    case STATISTICS:
    case PROCESS_INFO:
    case 0x0d: // DEBUG
    case PING:
    case RESET_CONNECTION:
      return length == 1;
    case 0x07: // REFRESH
      return length == 2;
    case 0x08: // SHUTDOWN
      return length <= 2;
    case PROCESS_KILL:
    case STMT_CLOSE:
    case STMT_RESET:
      return length == 5;
    case 0x1b: // SET_OPTION
      return length == 3;
    case STMT_FETCH:
      return length == 9;
    default:
      return fitsVariable(command, length);
  }
}

function fitsVariable(command: u32, length: u32): bool {
  switch (command) {
    case INIT_DB:
    case QUERY:
    case FIELD_LIST:
    case 0x05: // CREATE_DB
    case 0x06: // DROP_DB
    case STMT_PREPARE:
    case CHANGE_USER:
      return length >= 2;
    case STMT_EXECUTE:
      return length >= 10;
    case STMT_SEND_LONG_DATA:
    case STMT_BULK_EXECUTE:
      return length >= 7;
    case BINLOG_DUMP:
    case BINLOG_DUMP_GTID:
    case TABLE_DUMP:
    case 0x15: // REGISTER_SLAVE
    case CLONE:
      return length >= 1;
    default:
      return false;
  }
}

/** Writes the command's name at `nameAt`; returns its length. */
export function nameOf(command: u32): u32 {
  switch (command) {
    case QUIT:
      return put('QUIT');
    case INIT_DB:
      return put('INIT_DB');
    case QUERY:
      return put('QUERY');
    case FIELD_LIST:
      return put('FIELD_LIST');
    case 0x05:
      return put('CREATE_DB');
    case 0x06:
      return put('DROP_DB');
    case 0x07:
      return put('REFRESH');
    case 0x08:
      return put('SHUTDOWN');
    case STATISTICS:
      return put('STATISTICS');
    case PROCESS_INFO:
      return put('PROCESS_INFO');
    case PROCESS_KILL:
      return put('PROCESS_KILL');
    case 0x0d:
      return put('DEBUG');
    case PING:
      return put('PING');
    default:
      return laterNameOf(command);
  }
}

function laterNameOf(command: u32): u32 {
  switch (command) {
    case CHANGE_USER:
      return put('CHANGE_USER');
    case BINLOG_DUMP:
      return put('BINLOG_DUMP');
    case TABLE_DUMP:
      return put('TABLE_DUMP');
    case 0x15:
      return put('REGISTER_SLAVE');
    case STMT_PREPARE:
      return put('STMT_PREPARE');
    case STMT_EXECUTE:
      return put('STMT_EXECUTE');
    case STMT_SEND_LONG_DATA:
      return put('STMT_SEND_LONG_DATA');
    case STMT_CLOSE:
      return put('STMT_CLOSE');
    case STMT_RESET:
      return put('STMT_RESET');
    case 0x1b:
      return put('SET_OPTION');
    case STMT_FETCH:
      return put('STMT_FETCH');
    case BINLOG_DUMP_GTID:
      return put('BINLOG_DUMP_GTID');
    case RESET_CONNECTION:
      return put('RESET_CONNECTION');
    case CLONE:
      return put('CLONE');
    case STMT_BULK_EXECUTE:
      return put('STMT_BULK_EXECUTE');
    default:
      return put('LOGIN');
  }
}

function put(name: string): u32 {
  const units = changetype<usize>(name);
  const length = <u32>min(name.length, NAME_SIZE);
  for (let i: u32 = 0; i < length; i++) store<u8>(nameAt + i, load<u8>(units + (i << 1)));
  return length;
}
