import type { ServerClock } from '../time/server-clock.ts'
import type { Network } from '../network/network.ts'
import type { Session } from '../session/session.ts'
import { Failure, asFailure, failureOf } from './failure.ts'
import type { SessionAnswer } from './types.ts'

/** A person stands waiting at a gate: after this an answer is of no use. */
export const QUICK_MS = 3_000
/** A person reads a page: they wait a little. */
export const PATIENT_MS = 10_000

export interface CallOptions {
  query?: Record<string, string | number | null | undefined>
  /** How long to wait for the whole answer; default PATIENT_MS. */
  timeoutMs?: number
  signal?: AbortSignal
  /** A UUID, the same for every try of one act. */
  idempotencyKey?: string
  /** Send no token; default false. */
  anonymous?: boolean
}

export interface ClientParts {
  session: Session | null
  clock: ServerClock
  network: Network
  /** BCP 47 tag for the server's own sentences. */
  language: () => string
  fetch?: typeof fetch
}

/** Calls the server: token, one renewal on 401, time limits, problem documents as Failures. */
export class Client {
  readonly #parts: ClientParts
  readonly #fetch: typeof fetch

  constructor(parts: ClientParts) {
    this.#parts = parts
    // eslint-disable-next-line no-restricted-globals -- the one place that calls it
    this.#fetch = parts.fetch ?? fetch.bind(globalThis)
  }

  get<T>(path: string, options: CallOptions = {}): Promise<T> {
    return this.#call<T>('GET', path, undefined, options)
  }

  post<T>(path: string, body: unknown, options: CallOptions = {}): Promise<T> {
    return this.#call<T>('POST', path, body, options)
  }

  async delete(path: string, options: CallOptions = {}): Promise<void> {
    await this.#call<unknown>('DELETE', path, undefined, options)
  }

  /** A picture or another file, with the token that an <img> can't send. */
  async blob(path: string, options: CallOptions = {}): Promise<Blob> {
    return this.#timed(options, async (signal) => (await this.#answer('GET', path, undefined, options, signal)).blob())
  }

  /** Opens a long answer (server-sent events): the caller reads its body and ends it with the signal. */
  async open(path: string, signal: AbortSignal): Promise<Response> {
    try {
      return await this.#answer('GET', path, undefined, {}, signal, 'text/event-stream')
    } catch (error) {
      throw signal.aborted ? new Failure('aborted') : noAnswer(error)
    }
  }

  /** Renews a session; for Session alone, which shares one renewal among all callers. */
  async renew(refreshToken: string): Promise<SessionAnswer> {
    return this.post<SessionAnswer>('/v1/sessions/refresh', { refresh_token: refreshToken }, { anonymous: true })
  }

  async #call<T>(method: string, path: string, body: unknown, options: CallOptions): Promise<T> {
    return this.#timed(options, async (signal) => {
      const sent = this.#parts.clock.monotonic()
      const response = await this.#answer(method, path, body, options, signal)
      const received = this.#parts.clock.monotonic()
      if (response.status === 204) return undefined as T
      const answer = (await response.json()) as T
      const time = (answer as { server_time?: unknown } | null)?.server_time
      if (typeof time === 'string') this.#parts.clock.observe(time, sent, received)
      return answer
    })
  }

  async #timed<T>(options: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    let slow = false
    const timer = setTimeout(() => {
      slow = true
      abort.abort()
    }, options.timeoutMs ?? PATIENT_MS)
    const stop = () => abort.abort()
    options.signal?.addEventListener('abort', stop)
    if (options.signal?.aborted) stop()
    try {
      const result = await work(abort.signal)
      this.#parts.network.reached()
      return result
    } catch (error) {
      const failure = options.signal?.aborted ? new Failure('aborted') : slow ? new Failure('slow') : noAnswer(error)
      if (failure.reason === 'offline' || failure.reason === 'slow') this.#parts.network.missed()
      else if (failure.status) this.#parts.network.reached()
      throw failure
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', stop)
    }
  }

  /** One answer below 400, with at most one renewal of the session on the way. */
  async #answer(
    method: string, path: string, body: unknown, options: CallOptions, signal: AbortSignal, accept = 'application/json',
  ): Promise<Response> {
    const session = options.anonymous ? null : this.#parts.session
    const token = session?.accessToken ?? null
    if (session && !token) throw new Failure('signed_out')
    const first = await this.#send(method, path, body, options, signal, accept, token)
    if (first.ok) return first
    if (first.status !== 401 || !session || !token) throw await failureOf(first)
    const renewed = await session.renew(token, (refreshToken) => this.renew(refreshToken))
    const second = await this.#send(method, path, body, options, signal, accept, renewed)
    if (second.ok) return second
    const failure = await failureOf(second)
    if (failure.reason === 'signed_out') session.end()
    throw failure
  }

  #send(
    method: string, path: string, body: unknown, options: CallOptions, signal: AbortSignal, accept: string, token: string | null,
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: accept, 'Accept-Language': this.#parts.language() }
    if (token) headers['Authorization'] = `Bearer ${token}`
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey
    return this.#fetch(path + queryString(options.query), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    })
  }
}

function queryString(query: CallOptions['query']): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== '')
  return pairs.length ? '?' + new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString() : ''
}

/** fetch throws a TypeError when it reaches nobody, and an answer cut short ends in a SyntaxError. */
function noAnswer(error: unknown): Failure {
  return error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException
    ? new Failure('offline')
    : asFailure(error)
}
