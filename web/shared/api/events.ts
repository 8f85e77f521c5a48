import { backoff } from '../time/backoff.ts'
import { asFailure } from './failure.ts'

/** One server-sent event; the stream's comments (heartbeats) make none. */
export interface ServerEvent {
  event: string
  data: string
}

/** Splits a stream of text into server-sent events, however the network cut it. */
export class EventParser {
  #rest = ''
  #event = ''
  #data: string[] = []

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line === '') {
        if (this.#data.length) events.push({ event: this.#event || 'message', data: this.#data.join('\n') })
        this.#event = ''
        this.#data = []
      } else if (!line.startsWith(':')) {
        const colon = line.indexOf(':')
        const field = colon < 0 ? line : line.slice(0, colon)
        const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
        if (field === 'event') this.#event = value
        else if (field === 'data') this.#data.push(value)
      }
    }
    return events
  }
}

/** The server sends a comment each 15 s: nothing for this long means the line is dead. */
const SILENCE_MS = 40_000

export interface EventFeedParts {
  /** Opens the stream; rejects with a Failure. */
  open: (signal: AbortSignal) => Promise<Response>
  onEvent: (event: ServerEvent) => void
  random?: () => number
}

/**
 * Listens to a stream of server-sent events for as long as it is started, and
 * comes back by itself when the line breaks. Opened by fetch, because
 * EventSource can't send a token. A feed is a comfort: pages must be right
 * without it, so it never reports trouble.
 */
export class EventFeed {
  readonly #parts: EventFeedParts
  #abort: AbortController | null = null

  constructor(parts: EventFeedParts) {
    this.#parts = parts
  }

  start(): void {
    if (this.#abort) return
    this.#abort = new AbortController()
    void this.#listen(this.#abort.signal)
  }

  stop(): void {
    this.#abort?.abort()
    this.#abort = null
  }

  async #listen(stopped: AbortSignal): Promise<void> {
    for (let failures = 0; !stopped.aborted;) {
      let wait = 0
      try {
        if (await this.#once(stopped)) failures = 0
      } catch (error) {
        const failure = asFailure(error)
        if (failure.reason === 'signed_out' || failure.reason === 'refused') return
        wait = failure.retryAfterMs
      }
      failures++
      await pause(Math.max(wait, backoff(failures, this.#parts.random)), stopped)
    }
  }

  /** Reads one stream to its end; true if it ever said anything. */
  async #once(stopped: AbortSignal): Promise<boolean> {
    const line = new AbortController()
    const cut = () => line.abort()
    stopped.addEventListener('abort', cut)
    let silence = setTimeout(cut, SILENCE_MS)
    try {
      const response = await this.#parts.open(line.signal)
      const reader = response.body?.getReader()
      if (!reader) return false
      const parser = new EventParser()
      const decoder = new TextDecoder()
      let heard = false
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return heard
          heard = true
          clearTimeout(silence)
          silence = setTimeout(cut, SILENCE_MS)
          for (const event of parser.push(decoder.decode(value, { stream: true }))) this.#parts.onEvent(event)
        }
      } catch {
        return heard // the line broke
      }
    } finally {
      clearTimeout(silence)
      stopped.removeEventListener('abort', cut)
    }
  }
}

function pause(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      stopped.removeEventListener('abort', done)
      resolve()
    }
    stopped.addEventListener('abort', done)
    if (stopped.aborted) done()
  })
}
