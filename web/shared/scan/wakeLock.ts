/**
 * Keeps the screen on until the returned function is called. Browsers drop the lock whenever the
 * page is hidden, so it is asked for again each time the page comes back. Does nothing where the
 * browser can't, or refuses because the battery is low.
 */
export function keepScreenOn(): () => void {
  const locks = (navigator as Partial<Navigator>).wakeLock
  if (locks === undefined) return () => undefined
  let lock: WakeLockSentinel | null = null
  let wanted = true

  const ask = async (): Promise<void> => {
    if (!wanted || document.visibilityState !== 'visible' || (lock !== null && !lock.released)) return
    try {
      const got = await locks.request('screen')
      if (wanted) lock = got
      else await got.release()
    } catch {
      // Refused: the screen then goes dark as the device's own settings say.
    }
  }
  const onVisible = (): void => void ask()
  document.addEventListener('visibilitychange', onVisible)
  void ask()
  return () => {
    wanted = false
    document.removeEventListener('visibilitychange', onVisible)
    void lock?.release().catch(() => undefined)
    lock = null
  }
}
