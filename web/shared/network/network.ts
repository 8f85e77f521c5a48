import { reactive, readonly } from 'vue'
import type { ServerClock } from '../time/server-clock.ts'

/** Whether the server answers, judged by real calls: a phone's own "online" says little. */
export class Network {
  readonly #clock: ServerClock
  readonly #state = reactive<{ since: number | null }>({ since: null })
  /** since: server time of the first call in a row without an answer, Unix ms; null while calls are answered. */
  readonly state = readonly(this.#state)

  constructor(clock: ServerClock) {
    this.#clock = clock
  }

  get down(): boolean {
    return this.#state.since !== null
  }

  reached(): void {
    this.#state.since = null
  }

  missed(): void {
    this.#state.since ??= this.#clock.now()
  }
}
