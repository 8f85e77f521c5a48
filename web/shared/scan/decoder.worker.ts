import wasmURL from 'zxing-wasm/reader/zxing_reader.wasm?url'
import { brightness, decode, prepareDecoder, type Pixels } from './decode.ts'

/** A picture as the page could take it, and how hard to look. */
export interface Look {
  picture: ImageBitmap | Pixels
  thorough: boolean
}

/** `text` is null when no code was found. */
export interface Seen {
  text: string | null
  brightness: number
}

/** Nothing was read. `dead`: the decoder itself never arrived, and this worker will read nothing. */
export interface Failed {
  failed: true
  dead: boolean
}

/** Longest side that is decoded; larger pictures are drawn smaller. */
const MAX_SIDE = 1280

let dead = false
const ready = prepareDecoder({ locateFile: () => wasmURL }).catch((error: unknown) => {
  dead = true
  throw error
})
ready.catch(() => undefined) // told to the page with the first picture

// One canvas for all frames; it grows to the size of the picture once.
let canvas: OffscreenCanvas | null = null

function pixelsOf(picture: ImageBitmap): Pixels {
  const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height))
  const width = Math.round(picture.width * scale)
  const height = Math.round(picture.height * scale)
  canvas ??= new OffscreenCanvas(width, height)
  if (canvas.width !== width) canvas.width = width
  if (canvas.height !== height) canvas.height = height
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) throw new Error('no canvas')
  context.drawImage(picture, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}

async function see({ picture, thorough }: Look): Promise<Seen> {
  await ready
  let pixels: Pixels
  if ('close' in picture) {
    try {
      pixels = pixelsOf(picture)
    } finally {
      picture.close()
    }
  } else {
    pixels = picture
  }
  return { text: await decode(pixels, thorough), brightness: brightness(pixels) }
}

addEventListener('message', (event: MessageEvent<Look>) => {
  see(event.data).then(
    (seen) => postMessage(seen),
    () => postMessage({ failed: true, dead } satisfies Failed),
  )
})
