import { shallowReactive } from 'vue'
import { Failure } from '../api/failure.ts'
import type { SessionAnswer } from '../api/types.ts'

export type AppName = 'resident' | 'verifier'

export interface Tokens {
  access_token: string
  refresh_token: string
  /** Unix ms by the phone's clock: a hint for people reading the storage, never a decision. */
  expires_at: number
  /** Id of the person, so that a page notices when another person signs in beside it. */
  person?: string
}

export const storageKey = (app: AppName) => `citycode.${app}.session`

export interface SessionParts {
  storage?: Storage
  locks?: LockManager | null
  now?: () => number
}

/**
 * Who is signed in to one app, kept in localStorage so that tabs share it.
 *
 * A session is renewed once however many calls and tabs found it expired at the
 * same moment: a refresh token works once, and using it twice ends the session.
 */
export class Session {
  readonly #key: string
  /** Null once it proved unusable: this tab then stays signed in until it closes. */
  #storage: Storage | null
  readonly #locks: LockManager | null
  readonly #now: () => number
  readonly #state = shallowReactive<{ tokens: Tokens | null }>({ tokens: null })
  #renewal: Promise<string> | null = null

  constructor(app: AppName, parts: SessionParts = {}) {
    this.#key = storageKey(app)
    this.#storage = parts.storage ?? browserStorage()
    // Locks need a secure context; a plain http address has none, and there one tab is the rule.
    this.#locks = parts.locks === undefined ? (globalThis.navigator?.locks ?? null) : parts.locks
    this.#now = parts.now ?? Date.now
    this.#state.tokens = this.#read()
    globalThis.addEventListener?.('storage', (event: StorageEvent) => {
      if (event.key === this.#key || event.key === null) this.#state.tokens = this.#read()
    })
  }

  get signedIn(): boolean {
    return this.#state.tokens !== null
  }

  /** Id of who is signed in, as far as it is known; a renewal leaves it as it is. */
  get person(): string | null {
    return this.#state.tokens?.person ?? null
  }

  get accessToken(): string | null {
    return this.#state.tokens?.access_token ?? null
  }

  start(answer: SessionAnswer): void {
    this.#write({
      access_token: answer.access_token,
      refresh_token: answer.refresh_token,
      expires_at: this.#now() + answer.expires_in * 1000,
      person: answer.person.id,
    })
  }

  end(): void {
    this.#write(null)
  }

  /**
   * An access token to use instead of the refused one. Rejects with signed_out
   * (and ends the session) when the server refuses to renew it, with the
   * call's own Failure when the server couldn't be asked.
   */
  renew(refused: string, call: (refreshToken: string) => Promise<SessionAnswer>): Promise<string> {
    this.#renewal ??= this.#alone(() => this.#renewNow(refused, call)).finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #renewNow(refused: string, call: (refreshToken: string) => Promise<SessionAnswer>): Promise<string> {
    const tokens = this.#read()
    if (!tokens) {
      this.#state.tokens = null
      throw new Failure('signed_out')
    }
    if (tokens.access_token !== refused) {
      // Another tab, or an earlier call, was here first.
      this.#state.tokens = tokens
      return tokens.access_token
    }
    try {
      const answer = await call(tokens.refresh_token)
      this.start(answer)
      return answer.access_token
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure('broken')
      if (failure.reason !== 'signed_out' && failure.reason !== 'refused') throw failure
      const latest = this.#read()
      if (latest && latest.refresh_token !== tokens.refresh_token) {
        // Without locks another tab may have renewed meanwhile: its tokens are the good ones.
        this.#state.tokens = latest
        return latest.access_token
      }
      this.end()
      throw new Failure('signed_out', failure.status, failure.problem)
    }
  }

  /** One tab at a time where the browser has locks. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#locks ? (this.#locks.request(this.#key, work) as Promise<T>) : work()
  }

  #read(): Tokens | null {
    if (!this.#storage) return this.#state.tokens
    try {
      const value: unknown = JSON.parse(this.#storage.getItem(this.#key) ?? 'null')
      if (!value || typeof value !== 'object') return null
      const { access_token, refresh_token, expires_at, person } = value as Partial<Tokens>
      if (!access_token || !refresh_token) return null
      return { access_token, refresh_token, expires_at: expires_at ?? 0, ...(person ? { person } : {}) }
    } catch {
      return null
    }
  }

  #write(tokens: Tokens | null): void {
    this.#state.tokens = tokens
    try {
      if (tokens) this.#storage?.setItem(this.#key, JSON.stringify(tokens))
      else this.#storage?.removeItem(this.#key)
    } catch {
      this.#storage = null
    }
  }
}

/** Browsers that forbid storage throw when it is merely named. */
function browserStorage(): Storage | null {
  try {
    return globalThis.localStorage ?? null
  } catch {
    return null
  }
}
