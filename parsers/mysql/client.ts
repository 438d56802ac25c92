/**
 * The client's direction: the answer to the greeting, commands, and what belongs to no command (the dialogue of an
 * authentication, the data of LOAD DATA LOCAL INFILE), which is passed over by its length.
 *
 * A command begins with sequence number 0. What belongs to none has another one, until after 255 they begin anew.
 */
import { MESSAGE_NO_RESPONSE, MESSAGE_PARTIAL, UPGRADE, UPGRADE_TLS } from '../sdk/abi';
import { copy, le32 } from '../sdk/bytes';
import { frameAt, frameBytes, frameCut, frameKept } from '../sdk/framer';
import { hint, Message, undefine } from '../sdk/output';
import {
  CHANGE_USER,
  fits,
  INIT_DB,
  isExecute,
  isSilent,
  isStream,
  LOGIN,
  QUERY,
  RESET_CONNECTION,
  STMT_CLOSE,
  STMT_EXECUTE,
  STMT_PREPARE,
  USE,
} from './commands';
import * as handshake from './handshake';
import { isSslRequest, readAnswer, readChange, SSL_REQUEST } from './handshake';
import { beginRequest, GREETING_KEY, LAST_STATEMENT, statementKey, writeOperation } from './message';
import { FULL, Half, HEADER } from './packet';
import { BAD_BYTES, COMMANDS, Connection, GREETED, GREETING, NAME_MAX, REPLICATION, UNKNOWN } from './state';
import * as statement from './statement';
import { beginsText, isDrop, isUse, mayUse, showsAttributes, textOf, writeStatement } from './statement';

/** What follows is TLS. */
export let isUpgrade: bool = false;

/** A whole frame of the client. */
export function takeClient(c: Connection, half: Half, now: u64): void {
  isUpgrade = false;
  if (frameKept < HEADER) {
    c.loseClient(BAD_BYTES);
    return;
  }
  const sequence = load<u8>(frameAt, 3);
  if (sequence == 1 && c.phase <= GREETED) {
    takeAnswer(c, now);
    return;
  }
  if (isAside(c, half, sequence)) return;
  const command = frameKept > HEADER ? <u32>load<u8>(frameAt, HEADER) : 0;
  const length = <u32>min<u64>(frameBytes - HEADER, FULL);
  if (!fits(command, length) || !isText(c, command)) {
    c.loseClient(BAD_BYTES);
    c.fail();
    return;
  }
  if (c.phase != COMMANDS) {
    c.phase = COMMANDS;
    c.databaseLength = UNKNOWN;
  }
  half.confirm();
  takeCommand(c, half, command, now);
}

/** Whether the packet belongs to no command. */
function isAside(c: Connection, half: Half, sequence: u8): bool {
  const isLater = half.isSynced && (c.isInfile || sequence != 0 || c.isAside);
  if (!isLater) return false;
  const isEmpty = frameBytes == HEADER;
  if (isEmpty) c.isInfile = false;
  c.isAside = half.sequence == 255 && !isEmpty;
  return true;
}

/** A query begins like one, or not at all: the strictest thing that can be asked of a command. */
function isText(c: Connection, command: u32): bool {
  if ((command != QUERY && command != STMT_PREPARE) || frameKept < HEADER + 2) return true;
  const first = <u32>load<u8>(frameAt, HEADER + 1);
  if (c.client.isSynced) return true;
  return beginsText(first) || (command == QUERY && showsAttributes(frameAt + HEADER + 1, frameAt + frameKept));
}

// ── the handshake ─────────────────────────────────────────────────────────────────────────────────────────────────

function takeAnswer(c: Connection, now: u64): void {
  const payload = frameAt + HEADER;
  const length = <u32>min<u64>(frameBytes - HEADER, FULL);
  if (length < SSL_REQUEST || frameKept < HEADER + SSL_REQUEST) {
    c.loseClient(BAD_BYTES);
    return;
  }
  if (isSslRequest(payload, length)) {
    hint(c.slot, UPGRADE, UPGRADE_TLS);
    c.dead = true;
    isUpgrade = true;
    return;
  }
  readAnswer(c, payload, frameAt + frameKept);
  if (c.phase == GREETING) c.databaseLength = UNKNOWN;
  c.phase = COMMANDS;
  changeDatabase(c, handshake.databaseAt, handshake.databaseLength, handshake.isDatabaseLost);
  const message = beginRequest(c, LOGIN, now);
  writeOperation(message, LOGIN);
  if (c.system != 0) message.reference(GREETING_KEY);
  message.commit();
  await_(c, LOGIN, 0, false);
}

/** Once the server agrees, this is the database. */
function changeDatabase(c: Connection, from: usize, length: u32, isLost: bool): void {
  c.changes++;
  c.nextLength = UNKNOWN;
  if (isLost || length > NAME_MAX || c.changes > 1) return;
  c.nextLength = <u8>length;
  copy(c.nextDatabase, from, length);
}

// ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

function takeCommand(c: Connection, half: Half, command: u32, now: u64): void {
  const message = beginRequest(c, command, now);
  const sequence = half.sequence + 1;
  if (command == QUERY) {
    takeQuery(c, message, sequence);
    return;
  }
  if (isExecute(command)) {
    takeExecute(c, message, command, sequence);
    return;
  }
  writeOperation(message, command);
  if (command == STMT_PREPARE) takePrepare(c, message);
  const isUnanswered = isSilent(command) || isStream(command);
  if (isUnanswered) message.flag(MESSAGE_NO_RESPONSE);
  message.commit();
  if (command == STMT_CLOSE && frameKept >= HEADER + 5) undefine(c.slot, statementKey(le32(frameAt + HEADER + 1)));
  if (isStream(command)) {
    c.desync(REPLICATION);
    c.giveUp();
  }
  if (isUnanswered) return;
  noteChange(c, command);
  await_(c, command, sequence, false);
}

function noteChange(c: Connection, command: u32): void {
  const payload = frameAt + HEADER + 1;
  const end = frameAt + frameKept;
  if (command == INIT_DB) changeDatabase(c, payload, <u32>(end - payload), frameBytes > frameKept);
  if (command == CHANGE_USER) {
    readChange(payload, end);
    changeDatabase(c, handshake.databaseAt, handshake.databaseLength, handshake.isDatabaseLost);
  }
  // Its statements are gone, too; but no server gives an id twice, so nothing has to be forgotten.
  if (command == CHANGE_USER || command == RESET_CONNECTION) c.hasPrepared = false;
}

function takeQuery(c: Connection, message: Message, sequence: u8): void {
  const end = frameAt + frameKept;
  const isCut = frameBytes > frameKept;
  const text = textOf(
    frameAt + HEADER + 1,
    end,
    c.isAgreed ? c.hasAttributes : showsAttributes(frameAt + HEADER + 1, end),
  );
  if (text == 0) {
    message.flag(MESSAGE_PARTIAL);
    message.commit();
    changeDatabase(c, 0, 0, true);
    await_(c, USE, sequence, true);
    return;
  }
  const length = <u32>(end - text);
  writeStatement(message, text, length, isCut, false);
  message.commit();
  const isUnclear = isDrop(isCut);
  const changes = isUse(text, length) || isUnclear;
  if (changes) {
    const isLost = isCut || isUnclear || statement.databaseLength == 0;
    changeDatabase(c, statement.databaseAt, statement.databaseLength, isLost);
  }
  await_(c, changes ? USE : QUERY, sequence, isCut || mayUse(text, length));
}

/** The text is kept until the server says which statement it is. */
function takePrepare(c: Connection, message: Message): void {
  const text = frameAt + HEADER + 1;
  const length = frameKept - HEADER - 1;
  const isCut = frameBytes > frameKept;
  writeStatement(message, text, length, isCut, true);
  c.preparing++;
  // One that a gap cut short would be told as the whole.
  c.hasPrepared = !frameCut;
  c.preparedCut = isCut;
  c.preparedLength = <u16>length;
  copy(c.prepared, text, length);
}

/** MariaDB: statement -1 is the one prepared last, be its id known yet or not. */
function takeExecute(c: Connection, message: Message, command: u32, sequence: u8): void {
  if (frameKept < HEADER + 7) {
    message.flag(MESSAGE_PARTIAL);
    message.commit();
    await_(c, command, sequence, true);
    return;
  }
  const id = le32(frameAt + HEADER + 1);
  if (id != LAST_STATEMENT) message.reference(statementKey(id));
  else if (c.hasPrepared) writeStatement(message, c.prepared, c.preparedLength, c.preparedCut, false);
  else message.flag(MESSAGE_PARTIAL);
  message.commit();
  const hasCursor = command == STMT_EXECUTE && (load<u8>(frameAt, HEADER + 5) & 7) != 0;
  await_(c, command, sequence, hasCursor);
}

function await_(c: Connection, command: u32, sequence: u8, flag: bool): void {
  if (!c.wait(command, sequence, flag)) c.lose(BAD_BYTES);
}
