import type { BrowserContext, Page } from '@playwright/test'
import { encode } from 'uqr'

export interface CameraOptions {
  /** Names of the cameras that the device claims to have; default one. */
  devices?: string[]
  /** Whether they have a lamp. */
  torch?: boolean
}

interface InPage {
  show(url: string): Promise<void>
  opened: string[]
  torch: boolean
  unplug(): void
}

declare global {
  interface Window {
    e2eCamera: InPage
  }
}

/**
 * A camera whose picture the test chooses: getUserMedia answers with the stream of a canvas. What the
 * camera sees is held a little askew before a grey wall, as a hand holds a phone.
 */
export class Camera {
  private constructor(private readonly page: Page) {}

  static async giveTo(context: BrowserContext, options: CameraOptions): Promise<void> {
    await context.addInitScript(inPage, { devices: options.devices ?? ['rear camera'], torch: options.torch === true })
  }

  static of(page: Page): Camera {
    return new Camera(page)
  }

  /** Holds a picture before the camera: a screenshot, an SVG, or nothing. */
  async see(picture: Buffer | string | null): Promise<void> {
    const url = picture === null ? '' : typeof picture === 'string'
      ? `data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}`
      : `data:image/png;base64,${picture.toString('base64')}`
    await this.page.evaluate((shown) => window.e2eCamera.show(shown), url)
  }

  /** Device ids of the cameras opened so far. */
  opened(): Promise<string[]> {
    return this.page.evaluate(() => window.e2eCamera.opened)
  }

  torchIsOn(): Promise<boolean> {
    return this.page.evaluate(() => window.e2eCamera.torch)
  }

  unplug(): Promise<void> {
    return this.page.evaluate(() => window.e2eCamera.unplug())
  }
}

/** Runs in the page before its own scripts: everything that it uses is inside. */
function inPage(options: { devices: string[]; torch: boolean }): void {
  // Absent where the page is not secure.
  const media = navigator.mediaDevices as MediaDevices | undefined
  if (media === undefined) return
  const canvas = document.createElement('canvas')
  canvas.width = 1280
  canvas.height = 720
  const draw = canvas.getContext('2d')!
  let seen: HTMLImageElement | null = null
  const tracks = new Set<MediaStreamTrack>()

  const paint = (): void => {
    const wall = 118 + Math.floor(Math.random() * 4) // a picture that never changes sends no frames
    draw.fillStyle = `rgb(${wall},${wall},${wall})`
    draw.fillRect(0, 0, canvas.width, canvas.height)
    if (seen === null) return
    const scale = Math.min(canvas.width / seen.naturalWidth, canvas.height / seen.naturalHeight) * 0.97
    draw.save()
    draw.translate(canvas.width / 2, canvas.height / 2)
    draw.rotate(0.03)
    draw.imageSmoothingQuality = 'high'
    draw.drawImage(seen, (-seen.naturalWidth * scale) / 2, (-seen.naturalHeight * scale) / 2, seen.naturalWidth * scale, seen.naturalHeight * scale)
    draw.restore()
  }
  let ticks = 0
  setInterval(() => {
    for (const track of tracks) if (track.readyState === 'ended') tracks.delete(track)
    // A bare wall needs few frames, and each one costs the machine a look for codes.
    if (tracks.size > 0 && (seen !== null || ++ticks % 4 === 0)) paint()
  }, 80)

  const camera: InPage = {
    opened: [],
    torch: false,
    async show(url) {
      if (url === '') {
        seen = null
        return
      }
      const image = new Image()
      image.src = url
      await image.decode()
      seen = image
    },
    unplug() {
      for (const track of tracks) {
        track.stop()
        track.dispatchEvent(new Event('ended'))
      }
    },
  }
  window.e2eCamera = camera

  const idOf = (constraints?: MediaStreamConstraints): string => {
    const wish = typeof constraints?.video === 'object' ? constraints.video.deviceId : undefined
    return typeof wish === 'object' && 'exact' in wish ? String(wish.exact) : 'camera-0'
  }
  media.getUserMedia = (constraints) => {
    const id = idOf(constraints)
    paint()
    const stream = canvas.captureStream(15)
    const track = stream.getVideoTracks()[0]!
    tracks.add(track)
    camera.opened.push(id)
    const settings = track.getSettings.bind(track)
    track.getSettings = () => ({ ...settings(), deviceId: id })
    track.getCapabilities = () => (options.torch ? { torch: true } : {}) as MediaTrackCapabilities
    track.applyConstraints = (wish) => {
      const torch = (wish?.advanced?.[0] as { torch?: boolean } | undefined)?.torch
      if (torch !== undefined) camera.torch = torch
      return Promise.resolve()
    }
    return Promise.resolve(stream)
  }
  media.enumerateDevices = () => Promise.resolve(options.devices.map((label, index) => ({
    deviceId: `camera-${index}`, groupId: '', kind: 'videoinput', label, toJSON: () => ({}),
  })))
}

/** A QR code of any text or bytes, as somebody else's phone or poster shows it. */
export function qrPicture(data: string | number[]): string {
  const { data: rows, size } = encode(data, { ecc: 'L', boostEcc: false, border: 4 })
  const dark = rows.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="800" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<rect width="${size}" height="${size}" fill="#fff"/><path d="${dark}"/></svg>`
}
