/** Why no picture comes, each with its own words and its own thing to do. */
export type CameraProblem =
  | 'insecure' // browsers give cameras to HTTPS pages only
  | 'unsupported' // the browser has no camera access at all (some in-app browsers)
  | 'denied'
  | 'none' // the device has no camera
  | 'busy' // another app holds it
  | 'lost' // it went away while in use
  | 'unknown'

export interface CameraChoice {
  id: string
  /** The device's own name for it; empty until access was granted once. */
  label: string
}

export class CameraError extends Error {
  constructor(readonly problem: CameraProblem) {
    super(`camera: ${problem}`)
    this.name = 'CameraError'
  }
}

/** The parts of a track's abilities that TypeScript's library doesn't know yet. */
interface TrackAbilities extends MediaTrackCapabilities {
  torch?: boolean
  focusMode?: string[]
}

interface TrackWish extends MediaTrackConstraintSet {
  torch?: boolean
  focusMode?: string
}

/** An open camera. Whoever opened it stops it. */
export class Camera {
  private readonly track: MediaStreamTrack

  constructor(private readonly stream: MediaStream) {
    const track = stream.getVideoTracks()[0]
    if (track === undefined) throw new CameraError('none')
    this.track = track
  }

  get deviceId(): string {
    return this.track.getSettings().deviceId ?? ''
  }

  /** Whether the picture should be mirrored: people expect it of a camera that faces them. */
  get facesUser(): boolean {
    return this.track.getSettings().facingMode === 'user'
  }

  get hasTorch(): boolean {
    return this.abilities().torch === true
  }

  /** Turns the lamp on or off; false when the device wouldn't. */
  async setTorch(on: boolean): Promise<boolean> {
    if (!this.hasTorch) return false
    return this.wish({ torch: on })
  }

  /** Keeps the focus moving, where the camera can: a code comes close and goes away again. */
  async focusContinuously(): Promise<void> {
    if (this.abilities().focusMode?.includes('continuous') === true) await this.wish({ focusMode: 'continuous' })
  }

  async showOn(video: HTMLVideoElement): Promise<void> {
    video.srcObject = this.stream
    try {
      await video.play()
    } catch (error) {
      // play() is interrupted when the page is left meanwhile; the picture isn't needed then.
      if (!(error instanceof DOMException && error.name === 'AbortError')) throw error
    }
  }

  onLost(told: () => void): void {
    this.track.addEventListener('ended', told, { once: true })
  }

  stop(): void {
    for (const track of this.stream.getTracks()) track.stop()
  }

  private abilities(): TrackAbilities {
    return typeof this.track.getCapabilities === 'function' ? this.track.getCapabilities() : {}
  }

  private async wish(wish: TrackWish): Promise<boolean> {
    try {
      await this.track.applyConstraints({ advanced: [wish] })
      return true
    } catch {
      return false
    }
  }
}

/**
 * Opens the camera last chosen, or one that looks away from the person who holds the device.
 * Throws CameraError.
 */
export async function openCamera(deviceId: string | null): Promise<Camera> {
  if (!window.isSecureContext) throw new CameraError('insecure')
  // Typed as always there; absent in some in-app browsers.
  const devices = navigator.mediaDevices as MediaDevices | undefined
  if (typeof devices?.getUserMedia !== 'function') throw new CameraError('unsupported')
  const away: MediaTrackConstraints = { facingMode: { ideal: 'environment' } }
  const wishes = deviceId === null || deviceId === '' ? [away] : [{ deviceId: { exact: deviceId } }, away]
  let problem: CameraProblem = 'unknown'
  for (const wish of wishes) {
    try {
      // 720p decodes in a few ms; more pixels cost battery and find no more codes.
      const video = { ...wish, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } }
      return new Camera(await devices.getUserMedia({ video, audio: false }))
    } catch (error) {
      problem = problemOf(error)
      if (problem !== 'none') break // only a camera that went away is worth a second wish
    }
  }
  throw new CameraError(problem)
}

export async function listCameras(): Promise<CameraChoice[]> {
  const devices = navigator.mediaDevices as MediaDevices | undefined
  if (typeof devices?.enumerateDevices !== 'function') return []
  const all = await devices.enumerateDevices()
  return all.filter((device) => device.kind === 'videoinput').map((device) => ({ id: device.deviceId, label: device.label }))
}

/** Names of the errors of getUserMedia, the older ones of some Android browsers included. */
export function problemOf(error: unknown): CameraProblem {
  if (error instanceof CameraError) return error.problem
  const name = typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : ''
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
    case 'PermissionDeniedError':
      return 'denied'
    case 'NotFoundError':
    case 'OverconstrainedError':
    case 'DevicesNotFoundError':
      return 'none'
    case 'NotReadableError':
    case 'AbortError':
    case 'TrackStartError':
      return 'busy'
    default:
      return 'unknown'
  }
}
