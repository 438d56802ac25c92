/**
 * Packet times as nanoseconds since the Unix epoch in two 32-bit halves, without a BigInt per packet.
 *
 * A product or quotient of 64-bit numbers is taken in two steps of 16 bits, so that every intermediate value stays
 * below 2^53, where doubles are exact.
 */

const SECOND = 1_000_000_000;
const WORD = 2 ** 32;
/** Seconds that still fit 64 bits of nanoseconds: the year 2554. */
const SECONDS_MAX = 18_446_744_072;

export class PacketTime {
  low = 0;
  high = 0;

  set(seconds: number, nanoseconds: number): void {
    const whole = Math.min(Math.max(seconds, 0), SECONDS_MAX);
    const upper = Math.floor(whole / 65536) * SECOND;
    const lower = (whole % 65536) * SECOND + nanoseconds;
    const middle = (upper % 65536) * 65536 + lower;
    this.low = middle % WORD;
    this.high = (Math.floor(upper / 65536) + Math.floor(middle / WORD)) % WORD;
  }
}

/** How a pcapng interface counts time: options if_tsresol and if_tsoffset. */
export class TimeUnit {
  readonly #perSecond: bigint;
  readonly #perSecondNumber: number;
  readonly #offsetSeconds: number;

  /** `resolution`: as in if_tsresol, 10^-n, or 2^-n with the top bit set. */
  constructor(resolution: number, offsetSeconds: number) {
    const exponent = BigInt(resolution & 0x7f);
    this.#perSecond = resolution & 0x80 ? 2n ** exponent : 10n ** exponent;
    this.#perSecondNumber = Number(this.#perSecond);
    this.#offsetSeconds = offsetSeconds;
  }

  convert(high: number, low: number, time: PacketTime): void {
    const unit = this.#perSecondNumber;
    if (unit > SECOND || SECOND % unit !== 0) {
      this.#convertRare(high, low, time);
      return;
    }
    const first = (high % unit) * 65536 + (low >>> 16);
    const second = (first % unit) * 65536 + (low & 0xffff);
    const seconds = Math.floor(high / unit) * WORD + Math.floor(first / unit) * 65536 + Math.floor(second / unit);
    time.set(seconds + this.#offsetSeconds, (second % unit) * (SECOND / unit));
  }

  #convertRare(high: number, low: number, time: PacketTime): void {
    const units = (BigInt(high) << 32n) | BigInt(low);
    const nanoseconds = ((units % this.#perSecond) * 1_000_000_000n) / this.#perSecond;
    time.set(Number(units / this.#perSecond) + this.#offsetSeconds, Number(nanoseconds));
  }
}

/** pcapng's default: microseconds. */
export const MICROSECONDS = new TimeUnit(6, 0);
