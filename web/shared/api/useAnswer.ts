import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import { useBase } from '../app.ts'
import { asFailure, type Failure } from './failure.ts'

export interface Answer<T> {
  /** The last answer; null before the first. */
  answer: ShallowRef<T | null>
  /** Why the last try gave none; null while it is under way and after it succeeded. */
  failure: ShallowRef<Failure | null>
  load: () => Promise<void>
}

/**
 * One answer for one page: asked for at once, again when the language changes
 * (the server's sentences come in it), and when the page says so.
 */
export function useAnswer<T>(ask: () => Promise<T>): Answer<T> {
  const { settings } = useBase()
  const answer = shallowRef<T | null>(null)
  const failure = shallowRef<Failure | null>(null)
  let tries = 0
  async function load() {
    const mine = ++tries
    failure.value = null
    try {
      const got = await ask()
      if (mine === tries) answer.value = got
    } catch (error) {
      if (mine === tries) failure.value = asFailure(error)
    }
  }
  watch(() => settings.language, () => void load())
  onScopeDispose(() => tries++)
  void load()
  return { answer, failure, load }
}
