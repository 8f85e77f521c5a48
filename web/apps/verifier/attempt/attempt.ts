import { asFailure, type Failure } from '@/shared/api/failure.ts'
import type { Method, Verification } from '@/shared/api/types.ts'

/** One text to ask the server about. */
export interface Scan {
  text: string
  scene: string
  method: Method
}

/** Why there is no answer yet, as far as the page can tell. */
export type Trouble = 'offline' | 'slow' | 'busy' | 'broken'

export type AttemptState =
  | { state: 'checking' }
  | { state: 'answered'; verification: Verification; late: boolean }
  /** No answer; it is being tried again. */
  | { state: 'waiting'; trouble: Trouble }
  /** A minute went by: whoever stood there may be gone, so no answer is shown any more. */
  | { state: 'too_old' }
  /** The server won't answer this verifier, or not this scene. */
  | { state: 'turned_away'; failure: Failure }
  | { state: 'signed_out' }

/** A person waits at the gate for this long before the page says that it can't tell. */
export const PATIENCE_MS = 3_000
/** A request may still answer after that; it is given up here and asked anew. */
export const REQUEST_MS = 8_000
/** An answer counts for the person who was scanned only while they can still be standing there. */
export const FRESH_MS = 60_000

const STEPS_MS = [500, 1_000, 2_000, 4_000, 8_000]
const MAX_WAIT_MS = 20_000

/**
 * Wait before the next try after `failures` failures in a row (from 1), never less than the server
 * asked for. Spread by a fifth, so that the gates of a city don't come back in one instant.
 */
export function retryDelay(failures: number, askedMs: number, random: () => number = Math.random): number {
  const step = STEPS_MS[Math.min(Math.max(failures, 1), STEPS_MS.length) - 1] ?? MAX_WAIT_MS
  return Math.min(MAX_WAIT_MS, Math.max(askedMs, Math.round(step * (0.8 + 0.4 * random()))))
}

export interface AttemptParts {
  /** Asks the server; rejects with a Failure. */
  send: (scan: Scan, key: string, signal: AbortSignal, timeoutMs: number) => Promise<Verification>
  changed: (state: AttemptState) => void
  /** The Idempotency-Key. */
  newKey?: () => string
  /** Two clocks in ms, of which the further counts: one stands still in sleep, the other can be set. */
  monotonic?: () => number
  wall?: () => number
  random?: () => number
}

/**
 * One scan from the find to its answer. All tries carry one key, so that the server decides once
 * and records once however often it is asked. A result older than a minute is never shown.
 */
export class Attempt {
  readonly key: string
  private readonly monotonic: () => number
  private readonly wall: () => number
  private readonly startedAt: number
  private readonly startedWall: number
  private readonly abort = new AbortController()
  private readonly timers = new Set<ReturnType<typeof setTimeout>>()
  private failures = 0
  private inFlight = false
  private over = false
  private waiting = false
  private retryTimer: ReturnType<typeof setTimeout> | null = null

  constructor(readonly scan: Scan, private readonly parts: AttemptParts) {
    this.key = (parts.newKey ?? newKey)()
    this.monotonic = parts.monotonic ?? (() => performance.now())
    this.wall = parts.wall ?? (() => Date.now())
    this.startedAt = this.monotonic()
    this.startedWall = this.wall()
    parts.changed({ state: 'checking' })
    this.after(PATIENCE_MS, () => {
      if (!this.waiting) this.wait('slow')
    })
    this.after(FRESH_MS, () => this.end({ state: 'too_old' }))
    void this.ask()
  }

  /** Tries at once, for instance because the network is said to be back. */
  retryNow(): void {
    if (this.over || this.inFlight) return
    this.failures = 0
    void this.ask()
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.over = true
    this.abort.abort()
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
  }

  private async ask(): Promise<void> {
    if (this.retryTimer !== null) this.clear(this.retryTimer)
    this.retryTimer = null
    this.inFlight = true
    try {
      const verification = await this.parts.send(this.scan, this.key, this.abort.signal, REQUEST_MS)
      if (this.over) return
      this.end(this.isFresh() ? { state: 'answered', verification, late: this.waiting } : { state: 'too_old' })
    } catch (error) {
      if (!this.over) this.failed(asFailure(error))
    } finally {
      this.inFlight = false
    }
  }

  private failed(failure: Failure): void {
    if (!this.isFresh()) return this.end({ state: 'too_old' })
    if (failure.reason === 'signed_out') return this.end({ state: 'signed_out' })
    const running = failure.code === 'in_progress' // an earlier try of this very scan
    if (!failure.passing && !running) return this.end({ state: 'turned_away', failure })
    this.failures++
    // One lost packet is no outage: the first failure is tried again before the page says anything.
    const quiet = this.failures === 1 && failure.reason === 'offline' && navigator.onLine
    if (!quiet && !running) this.wait(troubleOf(failure))
    this.retryTimer = this.after(retryDelay(this.failures, failure.retryAfterMs, this.parts.random), () => {
      this.retryTimer = null
      void this.ask()
    })
  }

  private wait(trouble: Trouble): void {
    this.waiting = true
    this.parts.changed({ state: 'waiting', trouble })
  }

  private end(state: AttemptState): void {
    if (this.over) return
    this.cancel()
    this.parts.changed(state)
  }

  private isFresh(): boolean {
    return Math.max(this.monotonic() - this.startedAt, this.wall() - this.startedWall) < FRESH_MS
  }

  private after(ms: number, then: () => void): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      then()
    }, ms)
    this.timers.add(timer)
    return timer
  }

  private clear(timer: ReturnType<typeof setTimeout>): void {
    clearTimeout(timer)
    this.timers.delete(timer)
  }
}

function troubleOf(failure: Failure): Trouble {
  switch (failure.reason) {
    case 'offline':
    case 'slow':
    case 'busy':
      return failure.reason
    default:
      return 'broken'
  }
}

/** A UUID also where the page isn't secure and the browser keeps randomUUID to itself. */
export function newKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
