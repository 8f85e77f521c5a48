import { prepareZXingModule, readBarcodes, type ReaderOptions, type ZXingModuleOverrides } from 'zxing-wasm/reader'

export interface Pixels {
  /** RGBA, four bytes a pixel. */
  data: Uint8ClampedArray
  width: number
  height: number
}

/**
 * Every frame: the cheapest look that still finds a code held up straight, about 6 ms for 720p.
 * Only QR codes: other symbologies find codes in fences and striped shirts.
 */
const QUICK: ReaderOptions = {
  formats: ['QRCode'],
  textMode: 'Plain',
  tryHarder: false,
  tryRotate: false,
  tryInvert: false,
  tryDownscale: true,
  maxNumberOfSymbols: 1,
}

/** Every fifth frame: blurred, turned and inverted (dark mode) codes too. */
const THOROUGH: ReaderOptions = { ...QUICK, tryHarder: true, tryRotate: true, tryInvert: true }

/** Names where the decoder's wasm lies. Without this the library fetches it from an outside host. */
export function prepareDecoder(overrides: ZXingModuleOverrides): Promise<unknown> {
  return prepareZXingModule({ overrides, fireImmediately: true })
}

/** The text of the code in the picture; null when there is none. */
export async function decode(pixels: Pixels, thorough: boolean): Promise<string | null> {
  const found = await readBarcodes(pixels as ImageData, thorough ? THOROUGH : QUICK)
  return found[0]?.text ?? null
}

/** Mean brightness of the picture, 0 (black) to 255, from one pixel in 97. */
export function brightness(pixels: Pixels): number {
  const { data } = pixels
  let sum = 0
  let count = 0
  for (let at = 0; at + 2 < data.length; at += 4 * 97) {
    sum += 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0)
    count++
  }
  return count === 0 ? 0 : sum / count
}
