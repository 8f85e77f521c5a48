import { onScopeDispose, ref, type Ref } from 'vue'
import type { ServerClock } from './server-clock.ts'

/** Server time, Unix ms, renewed as each of its seconds begins: every clock on the page ticks at once. */
export function useSecond(clock: ServerClock): Readonly<Ref<number>> {
  const now = ref(clock.now())
  let timer: ReturnType<typeof setTimeout>
  function tick() {
    now.value = clock.now()
    // Timers may fire a little early: 5 ms past the full second is past it for certain.
    timer = setTimeout(tick, 1005 - (now.value % 1000))
  }
  tick()
  onScopeDispose(() => clearTimeout(timer))
  return now
}
