/**
 * The server's time on this page.
 *
 * Phones show any hour they like, so pages count from the server's own time,
 * carried on by the browser's monotonic clock, which no setting moves.
 * A monotonic clock may stand still while the phone sleeps: when it falls
 * behind the wall clock, the clock calls itself unsure until the next answer.
 */
export interface ServerClockParts {
  /** Milliseconds that only grow; default performance.now. */
  monotonic?: () => number
  /** The phone's own idea of the time, Unix ms; default Date.now. */
  wall?: () => number
}

/** The two local clocks may drift this far apart before a sleep or a changed hour is suspected. */
const DRIFT_MS = 1_500
/** A better sample replaces a worse one; after this long any sample does, because quartz drifts. */
const SAMPLE_AGE_MS = 5 * 60_000

interface Sample {
  /** Server time minus monotonic time. */
  offset: number
  roundTrip: number
  /** Monotonic and wall time when the sample was taken. */
  at: number
  wall: number
}

export class ServerClock {
  readonly monotonic: () => number
  readonly #wall: () => number
  #sample: Sample | null = null

  constructor(parts: ServerClockParts = {}) {
    this.monotonic = parts.monotonic ?? (() => performance.now())
    this.#wall = parts.wall ?? (() => Date.now())
  }

  /** Takes server_time from an answer: sent and received are monotonic. */
  observe(serverTime: string, sent: number, received: number): void {
    const server = Date.parse(serverTime)
    if (Number.isNaN(server)) return
    const roundTrip = received - sent
    const old = this.sure ? this.#sample : null
    if (old && roundTrip > old.roundTrip && received - old.at < SAMPLE_AGE_MS) return
    this.#sample = { offset: server + roundTrip / 2 - received, roundTrip, at: received, wall: this.#wall() }
  }

  /** Whether a server's time was seen and nothing suggests that the phone slept since. */
  get sure(): boolean {
    const sample = this.#sample
    return sample !== null && Math.abs(this.#drift(sample)) < DRIFT_MS
  }

  /** Server time now, Unix ms; the phone's own time before the first answer. */
  now(): number {
    const sample = this.#sample
    if (!sample) return this.#wall()
    const now = this.monotonic() + sample.offset
    // Asleep, the monotonic clock stood still: the wall clock knows better how long.
    const drift = this.#drift(sample)
    return drift >= DRIFT_MS ? now + drift : now
  }

  /** How far the phone's own clock is ahead of the server's, in ms; 0 before the first answer. */
  phoneAheadMs(): number {
    return this.#sample ? this.#wall() - this.now() : 0
  }

  #drift(sample: Sample): number {
    return this.#wall() - sample.wall - (this.monotonic() - sample.at)
  }
}
