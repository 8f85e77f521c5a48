import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import { useBase } from '../app.ts'
import { backoff } from '../time/backoff.ts'
import { asFailure, type Failure } from './failure.ts'

export interface Answer<T> {
  /** The last answer; null before the first. */
  answer: ShallowRef<T | null>
  /** Why the last try gave none; null while a try by hand is under way and after one succeeded. */
  failure: ShallowRef<Failure | null>
  load: () => Promise<void>
}

/**
 * One answer for one page: asked for at once, again when the language changes
 * (the server's sentences come in it), when the page says so, and by itself
 * while the server can't be reached.
 */
export function useAnswer<T>(ask: () => Promise<T>): Answer<T> {
  const { settings } = useBase()
  const answer = shallowRef<T | null>(null)
  const failure = shallowRef<Failure | null>(null)
  let tries = 0
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  async function attempt() {
    clearTimeout(timer)
    const mine = ++tries
    try {
      const got = await ask()
      if (mine !== tries) return
      answer.value = got
      failure.value = null
      failures = 0
    } catch (error) {
      if (mine !== tries) return
      failure.value = asFailure(error)
      failures++
      if (failure.value.passing) timer = setTimeout(() => void attempt(), Math.max(failure.value.retryAfterMs, backoff(failures)))
    }
  }
  function load() {
    failure.value = null
    return attempt()
  }
  const online = () => {
    if (failure.value?.passing) void attempt()
  }
  watch(() => settings.language, () => void attempt())
  window.addEventListener('online', online)
  onScopeDispose(() => {
    tries++
    clearTimeout(timer)
    window.removeEventListener('online', online)
  })
  void load()
  return { answer, failure, load }
}
