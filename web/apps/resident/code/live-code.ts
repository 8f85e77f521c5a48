import { shallowReactive } from 'vue'
import { Failure, asFailure } from '@/shared/api/failure.ts'
import type { CodeAnswer, Status } from '@/shared/api/types.ts'
import { backoff } from '@/shared/time/backoff.ts'
import type { ServerClock } from '@/shared/time/server-clock.ts'

/** A code asked for again by hand this soon is the same code to everyone; the button waits. */
const HAND_PAUSE_MS = 3_000
/** Leaving the page and coming back at once needs no new code, nor does a server whose codes arrive expired. */
const RETURN_PAUSE_MS = 2_000
/** However late the server says to refresh, the next code comes before the last one ends. */
const SPARE_MS = 5_000

export interface ShownCode {
  text: string
  /** Server time, Unix ms. */
  shownAt: number
  refreshAt: number
  expiresAt: number
}

export interface Trouble {
  failure: Failure
  /** Server time of the first failure in a row. */
  since: number
  failures: number
  /** Monotonic time of the next try; null when trying again by itself is no use. */
  retryAt: number | null
}

export interface LiveCodeState {
  /** The code to draw: never one that has expired, none while the page is covered. */
  code: ShownCode | null
  status: Status | null
  holder: string
  degraded: boolean
  trouble: Trouble | null
  /** A call is under way. */
  busy: boolean
  covered: boolean
}

export interface LiveCodeParts {
  mint: () => Promise<CodeAnswer>
  clock: ServerClock
  random?: () => number
}

/**
 * Keeps one good code on the page: asks for it, renews it before it ends, drops
 * it the moment it ends, tries again when the server can't be reached, and
 * rests while nobody looks.
 *
 * The page calls tick once a second; a timer of its own drops an expired code on time.
 */
export class LiveCode {
  readonly state: LiveCodeState = shallowReactive({
    code: null, status: null, holder: '', degraded: false, trouble: null, busy: false, covered: false,
  })
  readonly #parts: LiveCodeParts
  #held: ShownCode | null = null
  #askedAt = -Infinity
  #ending: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(parts: LiveCodeParts) {
    this.#parts = parts
  }

  /** Does what is due: drops, renews or tries again. */
  tick(): void {
    if (this.#stopped) return
    const now = this.#parts.clock.now()
    if (this.#held && now >= this.#held.expiresAt) this.#hold(null)
    if (this.state.covered || this.state.busy) return
    const { trouble } = this.state
    if (trouble) {
      if (trouble.retryAt !== null && this.#parts.clock.monotonic() >= trouble.retryAt) void this.#ask()
    } else if ((!this.#held || now >= this.#held.refreshAt) && this.#sinceAsked >= RETURN_PAUSE_MS) {
      void this.#ask()
    }
  }

  /** Whether asking by hand is taken now. */
  get ready(): boolean {
    return !this.state.busy && !this.state.covered && this.#sinceAsked >= HAND_PAUSE_MS
  }

  /** Asks by hand; answers when the new code is there or the try has failed. */
  async refresh(): Promise<void> {
    if (this.ready) await this.#ask()
  }

  /** The network is said to be back, or the page to matter again: no need to wait for the next try. */
  hurry(): void {
    const { trouble } = this.state
    if (trouble && trouble.failure.passing && trouble.failure.reason !== 'busy' && !this.state.busy && !this.state.covered) void this.#ask()
  }

  /** Nobody looks: the code leaves the page at once. */
  cover(): void {
    this.state.covered = true
    this.state.code = null
  }

  /** Somebody looks again: a fresh code, and until it comes the last one if it is still good. */
  uncover(): void {
    if (!this.state.covered) return
    this.state.covered = false
    const now = this.#parts.clock.now()
    if (this.#held && now >= this.#held.expiresAt) this.#hold(null)
    this.state.code = this.#held
    if (!this.state.busy && !(this.#held && this.#sinceAsked < RETURN_PAUSE_MS)) void this.#ask()
  }

  get #sinceAsked(): number {
    return this.#parts.clock.monotonic() - this.#askedAt
  }

  /** A status that arrived beside the code; an older one than the known is left alone. */
  takeStatus(status: Status): void {
    const known = this.state.status
    if (known?.as_of && status.as_of && Date.parse(status.as_of) < Date.parse(known.as_of)) return
    this.state.status = status
  }

  stop(): void {
    this.#stopped = true
    this.#hold(null)
  }

  async #ask(): Promise<void> {
    this.state.busy = true
    this.#askedAt = this.#parts.clock.monotonic()
    try {
      const answer = await this.#parts.mint()
      if (this.#stopped) return
      this.#take(answer)
    } catch (error) {
      if (!this.#stopped) this.#fail(asFailure(error))
    } finally {
      this.state.busy = false
    }
  }

  #take(answer: CodeAnswer): void {
    const now = this.#parts.clock.now()
    const expiresAt = Date.parse(answer.code.expires_at)
    const refreshAt = Math.min(now + answer.refresh_after_s * 1000, expiresAt - SPARE_MS)
    this.state.trouble = null
    this.state.holder = answer.holder.name
    this.state.degraded = answer.degraded
    if (answer.status) this.takeStatus(answer.status)
    this.#hold(now < expiresAt ? { text: answer.code.text, shownAt: now, refreshAt, expiresAt } : null)
  }

  #fail(failure: Failure): void {
    const failures = (this.state.trouble?.failures ?? 0) + 1
    const wait = Math.max(failure.retryAfterMs, backoff(failures, this.#parts.random))
    this.state.trouble = {
      failure,
      since: this.state.trouble?.since ?? this.#parts.clock.now(),
      failures,
      retryAt: failure.passing ? this.#parts.clock.monotonic() + wait : null,
    }
    // The server has answered that this person gets no code: the last one goes too.
    if (!failure.passing) this.#hold(null)
  }

  #hold(code: ShownCode | null): void {
    clearTimeout(this.#ending)
    this.#held = code
    this.state.code = this.state.covered ? null : code
    if (code) this.#ending = setTimeout(() => this.tick(), Math.max(0, code.expiresAt - this.#parts.clock.now()) + 1)
  }
}
