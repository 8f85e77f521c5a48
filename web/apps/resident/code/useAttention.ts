import { onMounted, onScopeDispose } from 'vue'

/**
 * Tells when the page loses and regains its person: another tab, another app,
 * the locked phone, another window before it.
 */
export function useAttention(on: { lost: () => void; back: () => void }): void {
  const shown = () => (document.visibilityState === 'visible' ? on.back() : on.lost())
  const blurred = () => on.lost()
  const focused = () => {
    if (document.visibilityState === 'visible') on.back()
  }
  onMounted(() => {
    document.addEventListener('visibilitychange', shown)
    window.addEventListener('blur', blurred)
    window.addEventListener('focus', focused)
    window.addEventListener('pagehide', blurred)
    window.addEventListener('pageshow', focused)
    if (document.visibilityState !== 'visible') on.lost()
  })
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', shown)
    window.removeEventListener('blur', blurred)
    window.removeEventListener('focus', focused)
    window.removeEventListener('pagehide', blurred)
    window.removeEventListener('pageshow', focused)
  })
}
