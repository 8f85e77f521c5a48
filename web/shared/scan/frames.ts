/** Least time between two looks: 15 a second find a code at once and leave the battery alone. */
const MIN_GAP_MS = 66

/**
 * Calls `look` for frames of the video, one at a time: the next frame is asked for only when the
 * promise of the last has settled, so that a slow phone looks less often and never queues. The
 * returned function stops it.
 */
export function watchFrames(video: HTMLVideoElement, look: () => Promise<void>): () => void {
  let stopped = false
  let cancelNext: () => void = () => undefined

  const next = (): void => {
    if (stopped) return
    cancelNext = onNextFrame(video, onFrame)
  }
  const onFrame = (): void => {
    if (stopped) return
    const started = performance.now()
    void look()
      .catch(() => undefined) // a frame that can't be read is followed by another
      .then(() => {
        if (stopped) return
        const timer = setTimeout(next, Math.max(0, MIN_GAP_MS - (performance.now() - started)))
        cancelNext = () => clearTimeout(timer)
      })
  }
  next()
  return () => {
    stopped = true
    cancelNext()
  }
}

function onNextFrame(video: HTMLVideoElement, then: () => void): () => void {
  if (typeof video.requestVideoFrameCallback === 'function') {
    const handle = video.requestVideoFrameCallback(() => then())
    return () => video.cancelVideoFrameCallback(handle)
  }
  const handle = requestAnimationFrame(() => then())
  return () => cancelAnimationFrame(handle)
}
