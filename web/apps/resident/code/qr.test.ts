import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader'
import { describe, expect, it } from 'vitest'
import { QUIET, SIDE, modules, sizeFor } from './qr.ts'

const text = 'CAAAAFRWY4XVGQ2LN5ZK7DI3HJTEOPA6BSXMC4UWF2RYNQVGKZL5D7HI3JTEO'

describe('the code’s symbol', () => {
  it('is version 3, 29 modules a side, for every live code', () => {
    expect(modules(text)).toHaveLength(29)
    expect(modules('7'.repeat(61)).every((row) => row.length === 29)).toBe(true)
  })

  it.each(['', text.slice(1), text + 'A', text.toLowerCase(), 'https://example.com/' + text.slice(20), text.slice(1) + '1'])('is not made of %j', (other) => {
    expect(() => modules(other)).toThrow(RangeError)
  })

  it('is read back by the scanner’s decoder', async () => {
    const wasm = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm')
    await prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(readFileSync(wasm)).buffer }, fireImmediately: true })
    const module = 3
    const width = SIDE * module
    const data = new Uint8ClampedArray(width * width * 4).fill(255)
    modules(text).forEach((row, y) => row.forEach((dark, x) => {
      if (!dark) return
      for (let dy = 0; dy < module; dy++) {
        for (let dx = 0; dx < module; dx++) {
          const at = (((y + QUIET) * module + dy) * width + (x + QUIET) * module + dx) * 4
          data.fill(0, at, at + 3)
        }
      }
    }))
    const [found] = await readBarcodes({ data, width, height: width, colorSpace: 'srgb' } as ImageData, { formats: ['QRCode'] })
    expect(found?.text).toBe(text)
    expect(found?.version).toBe('3')
    expect(found?.ecLevel).toBe('M')
  })
})

describe('the code’s size', () => {
  it.each([
    [296, 1], [296, 2], [296, 3], [350, 2], [350, 2.625], [350, 1.5], [370, 1], [260, 2.75],
  ])('on %i CSS pixels at a ratio of %d is whole device pixels a module and fits', (available, ratio) => {
    const size = sizeFor(available, ratio)
    expect(Number.isInteger(size.module)).toBe(true)
    expect(size.pixels).toBe(size.module * SIDE)
    expect(size.css).toBeLessThanOrEqual(available + 0.001)
    expect(available - size.css).toBeLessThan(SIDE / ratio)
  })

  it('is at least 260 pixels on a phone 360 wide', () => {
    const card = 360 - 2 * 16 - 2 * 16
    for (const ratio of [1, 1.5, 2, 2.625, 3]) expect(sizeFor(card, ratio).css).toBeGreaterThanOrEqual(260)
  })
})
