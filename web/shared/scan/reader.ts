import type { Failed, Look, Seen } from './decoder.worker.ts'

/** The part of a Worker that the reader uses. */
export interface DecoderWorker {
  onmessage: ((event: MessageEvent<Seen | Failed>) => void) | null
  onerror: ((event: ErrorEvent) => void) | null
  postMessage(look: Look, transfer: Transferable[]): void
  terminate(): void
}

/** One frame in this many is looked at thoroughly. */
const THOROUGH_EVERY = 5
/** A worker silent for so long is stuck; the first answer also waits for the wasm to arrive. */
const STUCK_MS = 20_000
/** Pause before the decoder is fetched again, for instance after the network was away. */
const FETCH_AGAIN_MS = 2_000
const MAX_SIDE = 1280

/**
 * Reads frames of a video in a worker, one at a time. A worker that fails is replaced, so that a
 * scanner left running at a gate goes on.
 */
export class Reader {
  private worker: DecoderWorker | null = null
  private canvas: HTMLCanvasElement | null = null
  private frames = 0
  private busy = false
  private closed = false
  private notBefore = 0

  constructor(private readonly startWorker: () => DecoderWorker) {}

  /** What the current frame shows; null when it couldn't be read or another is still being read. */
  async look(video: HTMLVideoElement): Promise<Seen | null> {
    if (this.closed || this.busy || video.videoWidth === 0 || performance.now() < this.notBefore) return null
    this.busy = true
    try {
      const thorough = this.frames++ % THOROUGH_EVERY === THOROUGH_EVERY - 1
      return await this.ask({ picture: await this.take(video), thorough })
    } finally {
      this.busy = false
    }
  }

  close(): void {
    this.closed = true
    this.replaceWorker()
    this.canvas = null
  }

  private ask(look: Look): Promise<Seen | null> {
    if (this.closed) {
      discard(look.picture)
      return Promise.resolve(null)
    }
    const worker = (this.worker ??= this.startWorker())
    return new Promise((resolve) => {
      const done = (seen: Seen | null): void => {
        clearTimeout(stuck)
        resolve(seen)
      }
      const fail = (): void => {
        this.replaceWorker()
        this.notBefore = performance.now() + FETCH_AGAIN_MS
        done(null)
      }
      const stuck = setTimeout(fail, STUCK_MS)
      worker.onmessage = ({ data }) => {
        if (!('failed' in data)) done(data)
        else if (data.dead) fail()
        else done(null)
      }
      worker.onerror = fail
      worker.postMessage(look, ['close' in look.picture ? look.picture : look.picture.data.buffer])
    })
  }

  /** Takes the frame without copying where the browser can; otherwise through one reused canvas. */
  private async take(video: HTMLVideoElement): Promise<Look['picture']> {
    if (typeof OffscreenCanvas === 'function' && typeof createImageBitmap === 'function') return createImageBitmap(video)
    const scale = Math.min(1, MAX_SIDE / Math.max(video.videoWidth, video.videoHeight))
    const canvas = (this.canvas ??= document.createElement('canvas'))
    const width = Math.round(video.videoWidth * scale)
    const height = Math.round(video.videoHeight * scale)
    if (canvas.width !== width) canvas.width = width
    if (canvas.height !== height) canvas.height = height
    const context = canvas.getContext('2d', { willReadFrequently: true })
    if (context === null) throw new Error('no canvas')
    context.drawImage(video, 0, 0, width, height)
    return context.getImageData(0, 0, width, height)
  }

  private replaceWorker(): void {
    this.worker?.terminate()
    this.worker = null
  }
}

function discard(picture: Look['picture']): void {
  if ('close' in picture) picture.close()
}
