/**
 * The slot of a connection: where each direction is in its frame, what was found in it, and which requests wait.
 *
 *     fields │ client: fields, area │ server: fields, area │ texts │ … │ table of waiting requests (pending.ts)
 *     0                                                                PENDING_AT                             size
 */
import { FROM_CLIENT, FROM_SERVER, OPEN_MID_STREAM } from '../sdk/abi';
import { copy } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { ConnectionState, partOf } from '../sdk/connection';
import { Resync } from '../sdk/resync';

/** Longest client id of a request that is found again, or identified. */
export const CLIENT_ID_MAX: u32 = 128;
/** Bytes of a field that are kept when its chunk ends: a request header with its client id is the longest. */
const AREA: u32 = 14 + CLIENT_ID_MAX + 2;
/** The fields of a direction, and the levels of nesting at their end. */
const FIELDS: u32 = 240;
/** Possible frames that are kept during a search. */
export const FRAMES: u32 = 4;
const FRAME_SIZE: u32 = 24;
const HALF_SIZE: u32 = FIELDS + AREA + FRAMES * FRAME_SIZE;
/** Nested arrays. Five are the most of any schema. */
export const DEPTH_MAX: u32 = 6;
const LEVEL_SIZE: u32 = 12;

// Texts that are kept until the frame ends. TOPIC is of the request, ANSWER of the response.
export const NO_TEXT: u32 = 0;
export const CLIENT_ID: u32 = 1;
export const TOPIC: u32 = 2;
export const GROUP: u32 = 3;
export const TRANSACTION: u32 = 4;
export const TRACE: u32 = 5;
export const HEADER_KEY: u32 = 6;
export const ANSWER: u32 = 7;
const TEXTS: u32 = 8;
/** A text that was too long or partly lost. */
const LOST: u16 = 0xffff;

/** Where each text lies; the last number is where they end. A topic's name has 249 bytes at most. */
// biome-ignore format: a table
const places: usize = memory.data<u16>([0, 0, 128, 384, 512, 640, 696, 712, 968]);
const TEXTS_SIZE: u32 = 968;

/** Where the table of waiting requests begins. */
export const PENDING_AT: u32 = 2048;

// Reasons of a DESYNC.
export const LOST_BYTES: u32 = 1;
export const BAD_BYTES: u32 = 2;

/** What is read next of a frame. */
export const CLIENT_ID_STAGE: u8 = 1;
export const TAGS_STAGE: u8 = 2;
export const BODY_STAGE: u8 = 3;
/** The rest is only counted. */
export const REST_STAGE: u8 = 4;

/** The API key of a response whose request is not known. */
export const UNKNOWN_API: u32 = 0xffff;

/** Found during a search: a header that is believed if another one stands where its frame ends. */
@unmanaged
export class PossibleFrame {
  /** Stream offset; 0 for none. */
  end: u64;
  /** When the first byte behind it came. */
  next: u64;
  /** Of a response: the order of its request. */
  order: u32;
  reserved: u32;
}

/**
 * One direction. Behind its fields and the levels of nesting lies its area, and then the possible frames. `taken` counts
 * what is read or passed over, without the area.
 */
@unmanaged
export class Half extends Resync {
  // ── where it is ──
  /** Bytes of the current field that are still to be passed over. */
  skip: u32;
  /** Tagged fields still to be passed over. */
  tags: u32;
  /** Place in the schema. */
  place: u32;
  stage: u8;
  /** The text that takes the bytes of the current field. */
  capturing: u8;
  depth: u8;
  isFlexible: bool;
  /** The tagged fields of the struct that ends here were counted. */
  tagsCounted: bool;
  /** What is read next of record batches; 0 outside of them (records.ts). */
  batch: u8;
  /** The header that was wanted last is there, in the area perhaps with more: it is to be read before other bytes. */
  isFresh: bool;
  /** These are the first bytes behind lost ones. */
  isJoin: bool;
  /** No message of Kafka, but a token of the authentication behind SaslHandshake v0. */
  isToken: bool;
  /** An attribute may be missing. */
  isPartial: bool;
  /** The frame could not be read to its end: what was counted is less than there is. */
  isCut: bool;
  /** Records could not be counted. */
  isUncounted: bool;
  /** The response shall say what was fetched, as the request does not. */
  wantsTopic: bool;
  /** FindCoordinator: 0 a group, 1 a transaction. */
  keyType: u8;
  /** Compression of the first batch, and one more than it: 0 when there is none. */
  codec: u8;
  hasAcks: bool;
  api: u16;
  version: u16;
  correlation: u32;
  /** Bytes of the frame that come behind the records, and behind the batch. */
  behindRecords: u32;
  behindBatch: u32;
  /** Headers of the record still to be read. */
  headers: u32;

  // ── what was found ──
  /** The first that is not 0, and how many are not. */
  error: i32;
  errors: u32;
  acks: i32;
  topics: u32;
  partitions: u32;
  /** The first. */
  partition: u32;
  groups: u32;
  messages: u64;
  /** Of the first record; how many partitions said theirs. */
  offset: i64;
  offsets: u32;
  /** Of the first topic that has an id. */
  topicId: u64;

  // ── a search ──
  /** Stream offset where the farthest of the possible frames ends. */
  framesEnd: u64;

  get area(): usize {
    return changetype<usize>(this) + FIELDS;
  }

  /** Bytes of the frame still to be read. */
  get left(): u32 {
    return <u32>(this.size - this.taken);
  }

  /** A level of nesting: u32 place of the loop, u32 elements left, u32 bytes left where the element began. */
  level(index: u32): usize {
    return changetype<usize>(this) + FIELDS - (index + 1) * LEVEL_SIZE;
  }

  /** No array that is being read has further elements. */
  get isInLast(): bool {
    for (let i: u32 = 0; i < <u32>this.depth; i++) if (load<u32>(this.level(i), 4) != 1) return false;
    return true;
  }

  frame(index: u32): PossibleFrame {
    return changetype<PossibleFrame>(this.area + AREA + index * FRAME_SIZE);
  }

  /** The place for one more possible frame: of one that is over, else of the farthest; null if that is the new one. */
  frameFor(here: u64, end: u64): PossibleFrame | null {
    let last = this.frame(0);
    for (let i: u32 = 1; i < FRAMES && last.end > here; i++) {
      const frame = this.frame(i);
      if (frame.end <= here || frame.end > last.end) last = frame;
    }
    if (last.end > here && last.end <= end) return null;
    this.framesEnd = max(this.framesEnd, end);
    return last;
  }

  forgetFrames(): void {
    memory.fill(this.area + AREA, 0, FRAMES * FRAME_SIZE);
    this.framesEnd = 0;
  }

  /** Address of the next bytes, 0 when the chunk ends before them: then they are kept. */
  peek(chunk: Chunk, bytes: u32): usize {
    if (this.length == 0) {
      if (this.taken == 0) this.first = chunk.timestamp;
      if (chunk.length >= bytes) return <usize>chunk.data;
    }
    if (this.length < bytes) {
      const more = min(chunk.length, bytes - this.length);
      copy(this.area + this.length, chunk.data, more);
      this.length += more;
      chunk.advance(more);
    }
    return this.length >= bytes ? this.area : 0;
  }

  /** Takes bytes that `peek` has shown. */
  done(chunk: Chunk, bytes: u32): void {
    if (this.length == 0) chunk.advance(bytes);
    else this.shift(bytes);
    this.taken += bytes;
  }

  /** Takes bytes off the front of the area. */
  shift(bytes: u32): void {
    this.length -= bytes;
    if (this.length > 0) memory.copy(this.area, this.area + bytes, this.length);
  }

  /** A frame begins; its header was read. */
  begin(size: u64, stage: u8): void {
    this.size = size;
    this.stage = stage;
    this.skip = 0;
    this.tags = 0;
    this.place = 0;
    this.capturing = <u8>NO_TEXT;
    this.depth = 0;
    this.tagsCounted = false;
    this.batch = 0;
    this.isToken = false;
    this.isPartial = false;
    this.isCut = false;
    this.isUncounted = false;
    this.wantsTopic = false;
    this.keyType = 0;
    this.codec = 0;
    this.hasAcks = false;
    this.error = 0;
    this.errors = 0;
    this.topics = 0;
    this.partitions = 0;
    this.groups = 0;
    this.messages = 0;
    this.offsets = 0;
    this.topicId = 0;
  }

  /** The place in the frame is lost, or nothing more is wanted of it. */
  passRest(isCut: bool): void {
    if (isCut) {
      this.isCut = true;
      this.isPartial = true;
    }
    this.stage = REST_STAGE;
    this.tags = 0;
    this.batch = 0;
    this.capturing = <u8>NO_TEXT;
    this.skip = this.left;
  }
}

@unmanaged
export class Connection extends ConnectionState {
  /** SaslHandshake v0 was seen: frames without a header follow. */
  isSasl: bool;
  /** Entries that the table of waiting requests was laid out for. */
  capacity: u16;
  /** Entries in use. */
  waiting: u16;
  /** Orders: of the last request, of the last one that was answered, and when those before were last forgotten. */
  sent: u16;
  answered: u16;
  swept: u16;

  @inline
  static at(slot: usize): Connection {
    return changetype<Connection>(slot);
  }

  @inline
  half(direction: u32): Half {
    return changetype<Half>(this.parts + direction * HALF_SIZE);
  }

  open(flags: u32): void {
    if ((flags & OPEN_MID_STREAM) == 0) return;
    // As behind lost bytes, a frame may well begin right here, as most do with a write.
    for (let direction = FROM_CLIENT; direction <= FROM_SERVER; direction++) {
      this.half(direction).lost();
      this.half(direction).isJoin = true;
    }
  }

  text(id: u32): usize {
    return this.texts + load<u16>(places + id * 2);
  }

  textLength(id: u32): u32 {
    const length = load<u16>(this.lengths + id * 2);
    return length == LOST ? 0 : length;
  }

  /** Whether a text of this length fits; the old one is forgotten either way. */
  clearText(id: u32, length: u32): bool {
    const fits = length <= <u32>(load<u16>(places + id * 2 + 2) - load<u16>(places + id * 2));
    store<u16>(this.lengths + id * 2, fits ? 0 : LOST);
    return fits;
  }

  loseText(id: u32): void {
    store<u16>(this.lengths + id * 2, LOST);
  }

  appendText(id: u32, from: usize, bytes: u32): void {
    const length = <u32>load<u16>(this.lengths + id * 2);
    copy(this.text(id) + length, from, bytes);
    store<u16>(this.lengths + id * 2, <u16>(length + bytes));
  }

  clearTexts(isClient: bool): void {
    if (isClient) memory.fill(this.lengths, 0, ANSWER * 2);
    else store<u16>(this.lengths + ANSWER * 2, 0);
  }

  private get lengths(): usize {
    return partOf(this, 0, 0);
  }

  private get parts(): usize {
    return this.lengths + TEXTS * 2;
  }

  private get texts(): usize {
    return this.parts + 2 * HALF_SIZE;
  }
}

if (
  offsetof<Half>() + DEPTH_MAX * LEVEL_SIZE > FIELDS ||
  offsetof<PossibleFrame>() != FRAME_SIZE ||
  <u32>((offsetof<Connection>() + 7) & ~7) + TEXTS * 2 + 2 * HALF_SIZE + TEXTS_SIZE > PENDING_AT
) {
  ERROR('the state of a connection exceeds its slot');
}
