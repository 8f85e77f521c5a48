import { encode } from 'uqr'

/** Modules of quiet zone on each side, as ISO/IEC 18004 asks. */
export const QUIET = 4
/** A live code's 61 characters fill a version 3 symbol at level M: 29 modules and the quiet zone. */
export const SIDE = 29 + 2 * QUIET

const LIVE_CODE = /^[A-Z2-7]{61}$/

/** The modules of a live code's symbol, 29×29, true for dark. Throws a RangeError on any other text. */
export function modules(text: string): boolean[][] {
  // Any other text would make a symbol of another size, which scanners at the gates aren't tuned for.
  if (!LIVE_CODE.test(text)) throw new RangeError('not a live code')
  return encode(text, { ecc: 'M', boostEcc: false, minVersion: 3, maxVersion: 3, border: 0 }).data
}

export interface Size {
  /** Device pixels a module: a whole number, or scanners see blurred edges. */
  module: number
  /** Device pixels of the whole picture. */
  pixels: number
  /** The same in CSS pixels. */
  css: number
}

/** The largest size of whole modules that fits; never below one device pixel a module. */
export function sizeFor(availableCss: number, pixelRatio: number): Size {
  const module = Math.max(1, Math.floor((availableCss * pixelRatio) / SIDE + 1e-6))
  const pixels = module * SIDE
  return { module, pixels, css: pixels / pixelRatio }
}

/** Draws dark modules on white with the quiet zone, at whole pixels. */
export function draw(canvas: HTMLCanvasElement, text: string, size: Size): void {
  canvas.width = size.pixels
  canvas.height = size.pixels
  const context = canvas.getContext('2d', { alpha: false })
  if (!context) return
  context.fillStyle = '#fff'
  context.fillRect(0, 0, size.pixels, size.pixels)
  context.fillStyle = '#000'
  modules(text).forEach((row, y) => row.forEach((dark, x) => {
    if (dark) context.fillRect((x + QUIET) * size.module, (y + QUIET) * size.module, size.module, size.module)
  }))
}
